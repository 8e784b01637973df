"""Bank accounts saved as sources, the way Stripe had before payment methods. They are kept and listed; nothing is
charged to them here."""

from payments.sandbox import store
from payments.sandbox.errors import bad_request, no_such
from payments.sandbox.models import StoredObject
from payments.sandbox.pages import page
from payments.sandbox.params import Metadata, Params, Text, merged_metadata
from payments.sandbox.resources.customers import usable
from payments.sandbox.routing import endpoint
from payments.sandbox.scope import JSON, Scope
from payments.sandbox.shapes import parties

SOURCES = "/v1/customers/{customer}/sources"
TOKENS = ("btok_us_verified", "btok_us")


@endpoint("POST", SOURCES, {"metadata": Metadata(), "source": Text(required=True)})
def create(scope: Scope, params: Params, customer: str) -> JSON:
    if params["source"] not in TOKENS:
        raise bad_request(f"No such token: '{params['source']}'", code="resource_missing", param="source")
    row = usable(store.lock(scope, "customer", customer))
    data = {
        **parties.bank_account(customer, is_verified=params["source"] == "btok_us_verified"),
        "metadata": merged_metadata({}, params.get("metadata")),
    }
    made = store.insert(scope, data, event="customer.source.created")
    if not row.data["default_source"]:
        store.change(scope, row, {"default_source": made.stripe_id}, event="customer.updated")
    return made.data


@endpoint("GET", SOURCES, {"object": Text()}, pages=True)
def list_(scope: Scope, params: Params, customer: str) -> JSON:
    store.get(scope, "customer", customer)
    rows = store.query(scope, "bank_account").filter(customer=customer)
    return page(rows, params, SOURCES.format(customer=customer))


@endpoint("GET", SOURCES + "/{id}")
def retrieve(scope: Scope, params: Params, customer: str, id: str) -> JSON:
    return _of(scope, customer, id).data


@endpoint("DELETE", SOURCES + "/{id}")
def delete(scope: Scope, params: Params, customer: str, id: str) -> JSON:
    source = _of(scope, customer, id)
    row = usable(store.lock(scope, "customer", customer))
    if row.data["default_source"] == id:
        others = store.query(scope, "bank_account").filter(customer=customer).exclude(pk=source.pk)
        following = others.order_by("-pk").values_list("stripe_id", flat=True).first()
        store.change(scope, row, {"default_source": following}, event="customer.updated")
    return store.delete(scope, source, event="customer.source.deleted")


def _of(scope: Scope, customer: str, id_: str) -> StoredObject:
    row = store.get(scope, "bank_account", id_)
    if row.customer != customer:
        raise no_such("source", id_)
    return row
