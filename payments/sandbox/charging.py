"""Charging a card: one payment intent, one saved method, one charge that succeeds or fails."""

from payments.sandbox import disputing, store
from payments.sandbox.cards import AUTHENTICATION, NOT_AUTHENTICATED, Decline, error_fields
from payments.sandbox.errors import StripeError
from payments.sandbox.ids import new_id, random_text
from payments.sandbox.models import StoredObject
from payments.sandbox.resources.payment_methods import card_of
from payments.sandbox.scope import JSON, Scope
from payments.sandbox.shapes import money


def new_intent(scope: Scope, amount: int, currency: str, fields: JSON, *, invoice: str | None = None) -> StoredObject:
    id_ = new_id("payment_intent")
    blank = money.payment_intent(id_, scope.timestamp, scope.livemode, amount, currency, random_text(25))
    hidden = {"invoice": invoice} if invoice else None
    return store.insert(scope, {**blank, **fields}, event="payment_intent.created", hidden=hidden)


def charge(scope: Scope, intent: StoredObject, method: StoredObject, *, off_session: bool) -> StripeError | None:
    """Charge the intent's amount; the error that the caller is told, where it fails.

    Where the card wants its owner to confirm, somebody present is sent to do so; a payment
    nobody attends is declined."""
    card = card_of(method)
    if card.authentication and not off_session:
        _ask_for_confirmation(scope, intent, method)
        return None
    decline = AUTHENTICATION if card.authentication else card.declines_charge
    if decline:
        return _fail(scope, intent, method, decline)
    _succeed(scope, intent, method)
    return None


def authenticate(scope: Scope, intent: StoredObject, *, passed: bool) -> StripeError | None:
    """The owner of the card answered the bank's question, or could not."""
    method = store.lock(scope, "payment_method", intent.data["payment_method"])
    decline = card_of(method).declines_charge if passed else NOT_AUTHENTICATED
    if decline:
        return _fail(scope, intent, method, decline)
    _succeed(scope, intent, method)
    return None


def _succeed(scope: Scope, intent: StoredObject, method: StoredObject) -> None:
    blank = money.charge(scope.timestamp, scope.livemode, intent.data, method.data)
    outcome = {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network",
        "reason": None,
        "risk_level": "normal",
        "seller_message": "Payment complete.",
        "type": "authorized",
    }
    is_held = intent.data["capture_method"] == "manual"
    fields = {"amount_captured": 0 if is_held else blank["amount"], "captured": not is_held, "outcome": outcome}
    made = store.insert(scope, {**blank, **fields, "paid": True, "status": "succeeded"}, event="charge.succeeded")
    changes = {
        "amount_capturable": blank["amount"] if is_held else 0,
        "amount_received": 0 if is_held else blank["amount"],
        "last_payment_error": None,
        "latest_charge": made.stripe_id,
        "next_action": None,
        "payment_method": method.stripe_id,
        "status": "requires_capture" if is_held else "succeeded",
    }
    store.change(scope, intent, changes)
    scope.emit("payment_intent.amount_capturable_updated" if is_held else "payment_intent.succeeded", intent.data)
    if is_held:
        return
    if reason := card_of(method).dispute:
        disputing.open_dispute(scope, made, reason)


def _fail(scope: Scope, intent: StoredObject, method: StoredObject, decline: Decline) -> StripeError:
    blank = money.charge(scope.timestamp, scope.livemode, intent.data, method.data)
    outcome = {
        "advice_code": decline.advice,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "declined_by_network",
        "reason": decline.decline_code,
        "risk_level": "normal",
        "seller_message": "The bank declined the payment.",
        "type": "issuer_declined",
    }
    failure = {"failure_code": decline.code, "failure_message": decline.message, "outcome": outcome}
    made = store.insert(scope, {**blank, **failure}, event="charge.failed")
    error = {**error_fields(decline), "charge": made.stripe_id, "payment_method": method.data}
    changes = {
        "last_payment_error": money.last_error(error),
        "latest_charge": made.stripe_id,
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    store.change(scope, intent, changes)
    scope.emit("payment_intent.payment_failed", intent.data)
    return _declined(error, intent)


def _declined(error: JSON, intent: StoredObject) -> StripeError:
    fields = {name: value for name, value in error.items() if name != "message"}
    return StripeError(402, error["message"], payment_intent=intent.data, **fields)


def _ask_for_confirmation(scope: Scope, intent: StoredObject, method: StoredObject) -> None:
    changes = {
        "next_action": {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}},
        "payment_method": method.stripe_id,
        "status": "requires_action",
    }
    store.change(scope, intent, changes)
    scope.emit("payment_intent.requires_action", intent.data)


def capture(scope: Scope, intent: StoredObject, amount: int, more: JSON) -> None:
    """Take this much of what the bank holds; the rest goes back at once."""
    held = store.lock(scope, "charge", intent.data["latest_charge"])
    rest = held.data["amount"] - amount
    fields = {"amount_captured": amount, "captured": True, "amount_refunded": rest}
    store.change(scope, held, fields)
    scope.emit("charge.captured", held.data)
    taken = {"amount_capturable": 0, "amount_received": amount, "status": "succeeded"}
    store.change(scope, intent, {**taken, **more})
    scope.emit("payment_intent.succeeded", intent.data)


def let_go(scope: Scope, intent: StoredObject) -> None:
    """What the bank held is free again."""
    held = store.lock(scope, "charge", intent.data["latest_charge"])
    store.change(scope, held, {"amount_refunded": held.data["amount"], "refunded": True})
    scope.emit("charge.refunded", held.data)
    store.change(scope, intent, {"amount_capturable": 0})


def cancel(scope: Scope, intent: StoredObject, reason: str | None) -> None:
    changes = {
        "canceled_at": scope.timestamp,
        "cancellation_reason": reason,
        "next_action": None,
        "status": "canceled",
    }
    store.change(scope, intent, changes)
    scope.emit("payment_intent.canceled", intent.data)
