"""Tax rates. Percentage and inclusiveness never change; a rate is archived and a new one made."""

from payments.sandbox import store
from payments.sandbox.pages import page
from payments.sandbox.params import Flag, Metadata, Number, Param, Params, Text, merged_metadata
from payments.sandbox.routing import endpoint
from payments.sandbox.scope import JSON, Scope
from payments.sandbox.tax import RATE_TEXTS, rate_data

EDITABLE: dict[str, Param] = {
    "active": Flag(),
    **{name: Text() for name in RATE_TEXTS},
    "metadata": Metadata(),
}


@endpoint(
    "POST",
    "/v1/tax_rates",
    {
        **EDITABLE,
        "display_name": Text(required=True, longest=100),
        "inclusive": Flag(required=True),
        "percentage": Number(required=True, places=4),
    },
)
def create(scope: Scope, params: Params) -> JSON:
    data = rate_data(scope, {**params, "metadata": merged_metadata({}, params.get("metadata"))})
    return store.insert(scope, data, event="tax_rate.created").data


@endpoint("GET", "/v1/tax_rates/{id}")
def retrieve(scope: Scope, params: Params, id: str) -> JSON:
    return store.get(scope, "tax_rate", id).data


@endpoint("POST", "/v1/tax_rates/{id}", EDITABLE)
def update(scope: Scope, params: Params, id: str) -> JSON:
    row = store.lock(scope, "tax_rate", id)
    changes = {name: params[name] for name in ("active", *RATE_TEXTS) if name in params}
    if "metadata" in params:
        changes["metadata"] = merged_metadata(row.data["metadata"], params["metadata"])
    store.change(scope, row, changes, event="tax_rate.updated")
    return row.data


@endpoint("GET", "/v1/tax_rates", {"active": Flag(), "inclusive": Flag()}, pages=True)
def list_(scope: Scope, params: Params) -> JSON:
    rows = store.query(scope, "tax_rate")
    for name in ("active", "inclusive"):
        if name in params:
            rows = rows.filter(**{f"data__{name}": params[name]})
    return page(rows, params, "/v1/tax_rates")
