"""Charges."""

from payments.sandbox import store
from payments.sandbox.pages import page
from payments.sandbox.params import Params, Text
from payments.sandbox.routing import endpoint
from payments.sandbox.scope import JSON, Scope


@endpoint("GET", "/v1/charges/{id}")
def retrieve(scope: Scope, params: Params, id: str) -> JSON:
    return store.get(scope, "charge", id).data


@endpoint("GET", "/v1/charges", {"customer": Text(), "payment_intent": Text()}, pages=True)
def list_(scope: Scope, params: Params) -> JSON:
    rows = store.query(scope, "charge")
    for name in ("customer", "payment_intent"):
        if name in params:
            rows = rows.filter(**{name: params[name]})
    return page(rows, params, "/v1/charges")
