"""A customer's balance and its tax ids."""

from payments.sandbox import balance, store
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
    kind, value = params["type"], params["value"]
    data = {
        "object": "tax_id",
        # A European number begins with its country; other kinds are named after theirs.
        "country": (value[:2] if kind == "eu_vat" else kind[:2]).upper(),
        "created": scope.timestamp,
        "customer": customer,
        "customer_account": None,
        "livemode": scope.livemode,
        "owner": {
            "account": None,
            "application": None,
            "customer": customer,
            "customer_account": None,
            "type": "customer",
        },
        "type": kind,
        "value": value,
        "verification": {"status": "pending", "verified_address": None, "verified_name": None},
    }
    return store.insert(scope, data, event="customer.tax_id.created").data


@endpoint("GET", TAX_IDS, pages=True)
def list_tax_ids(scope: Scope, params: Params, customer: str) -> JSON:
    store.get(scope, "customer", customer)
    return page(store.query(scope, "tax_id").filter(customer=customer), params, TAX_IDS.format(customer=customer))


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
