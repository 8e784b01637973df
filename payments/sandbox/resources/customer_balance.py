"""A customer's balance and its tax ids."""

from payments.sandbox import balance, store, tax_ids
from payments.sandbox.errors import bad_request, no_such
from payments.sandbox.models import StoredObject
from payments.sandbox.pages import page
from payments.sandbox.params import Metadata, Params, Text, Whole, merged_metadata
from payments.sandbox.resources.customers import usable
from payments.sandbox.routing import endpoint
from payments.sandbox.scope import JSON, Scope

BALANCE = "/v1/customers/{customer}/balance_transactions"
TAX_IDS = "/v1/customers/{customer}/tax_ids"


@endpoint(
    "POST",
    BALANCE,
    {
        "amount": Whole(required=True),
        "currency": Text(required=True),
        "description": Text(unset=True, longest=350),
        "metadata": Metadata(),
    },
)
def adjust(scope: Scope, params: Params, customer: str) -> JSON:
    row = usable(store.lock(scope, "customer", customer))
    if not params["amount"]:
        raise bad_request("This value must not be 0.", code="parameter_invalid_integer", param="amount")
    moved = balance.move(
        scope, row, params["amount"], "adjustment", currency=params["currency"].lower(),
        description=params.get("description"), metadata=merged_metadata({}, params.get("metadata")),
    )  # fmt: skip
    assert moved is not None  # noqa: S101 - the amount is not 0
    return moved.data


@endpoint("GET", BALANCE, pages=True)
def list_transactions(scope: Scope, params: Params, customer: str) -> JSON:
    store.get(scope, "customer", customer)
    rows = store.query(scope, "customer_balance_transaction").filter(customer=customer)
    return page(rows, params, BALANCE.format(customer=customer))


@endpoint("GET", BALANCE + "/{id}")
def retrieve_transaction(scope: Scope, params: Params, customer: str, id: str) -> JSON:
    return _of(scope, "customer_balance_transaction", customer, id).data


@endpoint("POST", TAX_IDS, {"type": Text(required=True), "value": Text(required=True)})
def create_tax_id(scope: Scope, params: Params, customer: str) -> JSON:
    usable(store.get(scope, "customer", customer))
    return tax_ids.add(scope, customer, params)


@endpoint("GET", TAX_IDS, pages=True)
def list_tax_ids(scope: Scope, params: Params, customer: str) -> JSON:
    store.get(scope, "customer", customer)
    return page(tax_ids.of(scope, customer), params, TAX_IDS.format(customer=customer))


@endpoint("GET", TAX_IDS + "/{id}")
def retrieve_tax_id(scope: Scope, params: Params, customer: str, id: str) -> JSON:
    return _of(scope, "tax_id", customer, id).data


@endpoint("DELETE", TAX_IDS + "/{id}")
def delete_tax_id(scope: Scope, params: Params, customer: str, id: str) -> JSON:
    return store.delete(scope, _of(scope, "tax_id", customer, id), event="customer.tax_id.deleted")


def _of(scope: Scope, kind: str, customer: str, id_: str) -> StoredObject:
    row = store.get(scope, kind, id_)
    if row.customer != customer:
        raise no_such(kind, id_)
    return row
