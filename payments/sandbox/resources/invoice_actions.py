"""What moves an invoice on: finalize, pay, send, void, mark uncollectible."""

from payments.sandbox import attaching, collect, invoice_life, store
from payments.sandbox.errors import StripeError, bad_request
from payments.sandbox.models import StoredObject
from payments.sandbox.params import Flag, Params, Text
from payments.sandbox.resources.payment_methods import new_from_test_id
from payments.sandbox.routing import endpoint
from payments.sandbox.scope import JSON, Scope


@endpoint("POST", "/v1/invoices/{id}/finalize", {"auto_advance": Flag()})
def finalize(scope: Scope, params: Params, id: str) -> JSON:
    row = store.lock(scope, "invoice", id)
    invoice_life.finalize(scope, row, params.get("auto_advance"))
    return row.data


@endpoint(
    "POST",
    "/v1/invoices/{id}/pay",
    {"off_session": Flag(), "paid_out_of_band": Flag(), "payment_method": Text()},
)
def pay(scope: Scope, params: Params, id: str) -> JSON | StripeError:
    row = _payable(scope, store.lock(scope, "invoice", id))
    if params.get("paid_out_of_band"):
        invoice_life.pay_out_of_band(scope, row)
        return row.data
    method = _method(scope, row, params.get("payment_method"))
    error = collect.attempt(scope, row, method)
    return error or row.data


@endpoint("POST", "/v1/invoices/{id}/send")
def send(scope: Scope, params: Params, id: str) -> JSON:
    row = store.lock(scope, "invoice", id)
    if row.data["collection_method"] != "send_invoice":
        raise bad_request("You can only manually send an invoice if its collection method is 'send_invoice'.")
    if row.status == "draft":
        invoice_life.finalize(scope, row)
    if row.status not in ("open", "paid"):
        raise bad_request(f"You can only send open or paid invoices; this one is {row.status}.")
    invoice_life.sent(scope, row)
    return row.data


@endpoint("POST", "/v1/invoices/{id}/void")
def void(scope: Scope, params: Params, id: str) -> JSON:
    row = store.lock(scope, "invoice", id)
    invoice_life.void(scope, row)
    return row.data


@endpoint("POST", "/v1/invoices/{id}/mark_uncollectible")
def mark_uncollectible(scope: Scope, params: Params, id: str) -> JSON:
    row = store.lock(scope, "invoice", id)
    invoice_life.mark_uncollectible(scope, row)
    return row.data


@endpoint("POST", "/v1/invoices/{id}/attach_payment", {"payment_intent": Text(), "payment_record": Text()})
def attach_payment(scope: Scope, params: Params, id: str) -> JSON:
    """Money that was collected apart counts for the invoice. Here it must have arrived already."""
    row = store.lock(scope, "invoice", id)
    if "payment_intent" not in params or "payment_record" in params:
        raise bad_request("This sandbox attaches payment intents: give `payment_intent`.", param="payment_intent")
    intent = store.lock(scope, "payment_intent", params["payment_intent"], param="payment_intent")
    attaching.check(row, intent)
    attaching.attach(scope, row, intent)
    return row.data


def _payable(scope: Scope, row: StoredObject) -> StoredObject:
    if row.status == "draft":
        invoice_life.finalize(scope, row)
    if row.status == "paid":
        raise bad_request("Invoice is already paid")
    if row.status == "void":
        raise bad_request("This invoice is void and can't be paid.")
    return row


def _method(scope: Scope, row: StoredObject, chosen: str | None) -> StoredObject:
    """The method named in the request must be the customer's; without one the usual chain decides."""
    if chosen and (fresh := new_from_test_id(scope, chosen)):
        return fresh
    method = collect.method_for(scope, row.data, chosen)
    if method is None and chosen:
        raise bad_request(
            f"The customer does not have a payment method with the ID {chosen}. The payment method must be "
            "attached to the customer.",
            code="resource_missing",
            param="payment_method",
        )
    if method is None:
        raise collect.no_method()
    return method
