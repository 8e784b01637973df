"""Disputes: read, answered, accepted. Which way they end is in ``disputing``."""

from payments.sandbox import disputing, store
from payments.sandbox.errors import bad_request
from payments.sandbox.models import StoredObject
from payments.sandbox.pages import page
from payments.sandbox.params import Flag, Hash, Metadata, Params, Text, merged_metadata
from payments.sandbox.routing import endpoint
from payments.sandbox.scope import JSON, Scope
from payments.sandbox.shapes.disputes import TEXTS


@endpoint("GET", "/v1/disputes/{id}")
def retrieve(scope: Scope, params: Params, id: str) -> JSON:
    return store.get(scope, "dispute", id).data


@endpoint("GET", "/v1/disputes", {"charge": Text(), "payment_intent": Text()}, pages=True)
def list_(scope: Scope, params: Params) -> JSON:
    rows = store.query(scope, "dispute")
    for name in ("charge", "payment_intent"):
        if name in params:
            rows = rows.filter(**{name: params[name]})
    return page(rows, params, "/v1/disputes")


@endpoint(
    "POST",
    "/v1/disputes/{id}",
    {
        "evidence": Hash(fields={name: Text(unset=True, longest=20_000) for name in TEXTS}),
        "metadata": Metadata(),
        "submit": Flag(),
    },
)
def update(scope: Scope, params: Params, id: str) -> JSON:
    row = _open(scope, id)
    if "metadata" in params:
        metadata = merged_metadata(row.data["metadata"], params["metadata"])
        store.change(scope, row, {"metadata": metadata}, event="charge.dispute.updated")
    if "evidence" in params:
        # Evidence is handed to the bank unless the request says otherwise.
        disputing.answer(scope, row, params["evidence"], submit=params.get("submit", True))
    return row.data


@endpoint("POST", "/v1/disputes/{id}/close")
def close(scope: Scope, params: Params, id: str) -> JSON:
    """The merchant accepts it: lost."""
    row = _open(scope, id)
    disputing.close(scope, row, "lost")
    return row.data


def _open(scope: Scope, id: str) -> StoredObject:
    row = store.lock(scope, "dispute", id)
    if row.status not in disputing.OPEN:
        raise bad_request(f"This dispute is already closed: it is {row.status}.")
    return row
