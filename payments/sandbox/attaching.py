"""Payments that were made apart from an invoice and are counted for it: part of it, all of it, or too much."""

from payments.sandbox import collect, store
from payments.sandbox.errors import bad_request
from payments.sandbox.invoice_row import change
from payments.sandbox.models import StoredObject
from payments.sandbox.scope import JSON, Scope
from payments.sandbox.shapes import invoices as shapes


def check(invoice: StoredObject, intent: StoredObject) -> None:
    if invoice.status not in ("open", "uncollectible"):
        raise bad_request(f"Payments can only be attached to open invoices; this one is {invoice.status}.")
    if intent.customer != invoice.customer or intent.data["currency"] != invoice.data["currency"]:
        raise bad_request("The payment must be of the invoice's customer and currency.", param="payment_intent")
    if intent.hidden.get("invoice"):
        raise bad_request("The payment belongs to an invoice already.", param="payment_intent")
    if intent.status != "succeeded":
        raise bad_request("This sandbox attaches payments that have succeeded.", param="payment_intent")


def attach(scope: Scope, invoice: StoredObject, intent: StoredObject) -> None:
    """What it is too much goes to the customer's credit."""
    data = invoice.data
    received, remaining = intent.data["amount_received"], data["amount_remaining"]
    counted, left = min(received, remaining), max(remaining - received, 0)
    store.change(scope, intent, {}, hidden={"invoice": invoice.stripe_id})
    blank = shapes.invoice_payment(scope.timestamp, scope.livemode, data, intent.stripe_id)
    blank |= {"amount_requested": received, "is_default": False}
    collect.settle_payment(scope, store.insert(scope, blank, payment_intent=intent.stripe_id), received)
    open_payment = collect.default_payment(scope, invoice)
    fields: JSON = {"amount_paid": data["amount_paid"] + counted, "amount_remaining": left}
    if left:
        collect.ask_for(scope, *open_payment, left)
        change(scope, invoice, fields)
        return
    collect.cancel_payment(scope, *open_payment, "void_invoice")
    over = received - counted
    change(scope, invoice, {**collect.paid_fields(scope, data), **fields, "amount_overpaid": over})
    scope.emit("invoice.paid", invoice.data)
    if over:
        _credit(scope, invoice.customer, over)
        scope.emit("invoice.overpaid", invoice.data)


def _credit(scope: Scope, customer: str, amount: int) -> None:
    row = store.lock(scope, "customer", customer)
    if not row.deleted:
        store.change(scope, row, {"balance": row.data["balance"] - amount}, event="customer.updated")
