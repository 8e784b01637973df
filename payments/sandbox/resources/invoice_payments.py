"""Invoice payments: which payment intent pays which invoice."""

from payments.sandbox import store
from payments.sandbox.pages import page
from payments.sandbox.params import Hash, Params, Text
from payments.sandbox.routing import endpoint
from payments.sandbox.scope import JSON, Scope

PAYMENT = Hash(fields={"type": Text(required=True, choices=("payment_intent",)), "payment_intent": Text()})


@endpoint("GET", "/v1/invoice_payments/{id}")
def retrieve(scope: Scope, params: Params, id: str) -> JSON:
    return store.get(scope, "invoice_payment", id).data


@endpoint(
    "GET",
    "/v1/invoice_payments",
    {"invoice": Text(), "payment": PAYMENT, "status": Text(choices=("canceled", "open", "paid"))},
    pages=True,
)
def list_(scope: Scope, params: Params) -> JSON:
    rows = store.query(scope, "invoice_payment")
    for name in ("invoice", "status"):
        if name in params:
            rows = rows.filter(**{name: params[name]})
    if intent := params.get("payment", {}).get("payment_intent"):
        rows = rows.filter(payment_intent=intent)
    return page(rows, params, "/v1/invoice_payments")
