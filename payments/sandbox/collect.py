"""Collecting an invoice: which method is charged, what success and failure do to it, and when
it is tried again."""

from collections.abc import Callable

from payments.sandbox import charging, store
from payments.sandbox.errors import StripeError, bad_request
from payments.sandbox.invoice_row import change, transition
from payments.sandbox.models import StoredObject
from payments.sandbox.scope import JSON, Scope

DAY = 86400
RETRY_AFTER_DAYS = (3, 5, 7)


def method_for(scope: Scope, invoice: JSON, chosen: str | None = None) -> StoredObject | None:
    """The method Stripe would charge: the one named now, the invoice's, else the customer's default."""
    customer = store.get(scope, "customer", invoice["customer"], param="customer")
    settings = customer.data.get("invoice_settings") or {}
    id_ = chosen or invoice["default_payment_method"] or settings.get("default_payment_method")
    if not id_:
        return None
    method = store.find(scope, "payment_method", id_)
    return method if method and method.customer == invoice["customer"] else None


def attempt(
    scope: Scope,
    invoice: StoredObject,
    method: StoredObject | None,
    *,
    automatic: bool = False,
) -> StripeError | None:
    """Charge what is still due. The error stands: it is recorded on the invoice and the intent."""
    payment, intent = default_payment(scope, invoice)
    if method is None:
        error: StripeError | None = no_method()
    else:
        error = charging.charge(scope, intent, method, off_session=False)
        if error is None and intent.status == "requires_action":
            error = _needs_action(intent)
    if error is None:
        _paid(scope, invoice, payment, automatic)
    else:
        _failed(scope, invoice, intent, automatic)
    return error


def pay_in_person(
    scope: Scope, invoice: StoredObject, charge: Callable[[StoredObject], StripeError | None]
) -> StripeError | None:
    """Somebody at the invoice's page pays. ``charge`` is what is done with the payment intent; while the bank asks
    them who they are, nothing is decided."""
    payment, intent = default_payment(scope, invoice)
    error = charge(intent)
    if intent.status == "succeeded":
        _paid(scope, invoice, payment, automatic=False)
    elif error:
        _failed(scope, invoice, intent, automatic=False)
    return error


def default_payment(scope: Scope, invoice: StoredObject) -> tuple[StoredObject, StoredObject]:
    """The invoice's own open payment and the intent behind it, both locked."""
    rows = store.query(scope, "invoice_payment").select_for_update()
    payment = rows.get(invoice=invoice.stripe_id, status="open", data__is_default=True)
    return payment, store.lock(scope, "payment_intent", payment.payment_intent)


def _paid(scope: Scope, invoice: StoredObject, payment: StoredObject, automatic: bool) -> None:
    amount = invoice.data["amount_remaining"]
    settle_payment(scope, payment, amount)
    fields = {
        "amount_paid": invoice.data["amount_paid"] + amount,
        "attempt_count": _counted(invoice.data, automatic),
        **paid_fields(scope, invoice.data),
    }
    change(scope, invoice, fields)
    for event in ("invoice.paid", "invoice.payment_succeeded"):
        scope.emit(event, invoice.data)


def paid_fields(scope: Scope, data: JSON) -> JSON:
    """What every way of becoming paid has in common."""
    return {
        "amount_remaining": 0,
        "attempted": True,
        "auto_advance": False,
        "next_payment_attempt": None,
        "status": "paid",
        "status_details": None,
        **transition(data, "paid_at", scope.timestamp),
    }


def settle_payment(scope: Scope, payment: StoredObject, amount: int) -> None:
    times = {**payment.data["status_transitions"], "paid_at": scope.timestamp}
    store.change(scope, payment, {"amount_paid": amount, "status": "paid", "status_transitions": times})
    scope.emit("invoice_payment.paid", payment.data)


def ask_for(scope: Scope, payment: StoredObject, intent: StoredObject, amount: int) -> None:
    """The invoice's own payment stays equal to what remains."""
    store.change(scope, payment, {"amount_requested": amount})
    store.change(scope, intent, {"amount": amount})


def cancel_payment(scope: Scope, payment: StoredObject, intent: StoredObject, reason: str) -> None:
    charging.cancel(scope, intent, reason)
    times = {**payment.data["status_transitions"], "canceled_at": scope.timestamp}
    store.change(scope, payment, {"status": "canceled", "status_transitions": times})


def _failed(scope: Scope, invoice: StoredObject, intent: StoredObject, automatic: bool) -> None:
    data = invoice.data
    attempts = _counted(data, automatic)
    fields: JSON = {"attempted": True, "attempt_count": attempts}
    if attempts != data["attempt_count"]:
        fields["next_payment_attempt"] = _next_attempt(scope, data, attempts)
    change(scope, invoice, fields)
    if intent.status == "requires_action":
        scope.emit("invoice.payment_action_required", invoice.data)
    scope.emit("invoice.payment_failed", invoice.data)


def _counted(data: JSON, automatic: bool) -> int:
    """Attempts as the retry schedule counts them: the first of any kind, then automatic ones."""
    attempts: int = data["attempt_count"]
    return attempts + 1 if automatic or attempts == 0 else attempts


def _next_attempt(scope: Scope, data: JSON, attempts: int) -> int | None:
    advances = data["auto_advance"] and data["collection_method"] == "charge_automatically"
    if not advances or data["status"] != "open" or attempts > len(RETRY_AFTER_DAYS):
        return None
    return scope.timestamp + RETRY_AFTER_DAYS[attempts - 1] * DAY


def no_method() -> StripeError:
    return bad_request(
        "There is no default_payment_method set on this Customer or Invoice. Please set a "
        "default_payment_method prior to attempting collection."
    )


def _needs_action(intent: StoredObject) -> StripeError:
    message = (
        "This payment requires additional user action before it can be completed successfully. Payment can "
        "be completed using the PaymentIntent associated with the invoice."
    )
    return StripeError(
        402, message, type="card_error", code="invoice_payment_intent_requires_action", payment_intent=intent.data
    )
