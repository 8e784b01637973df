"""Saving a payment method for later: one setup intent, one card that is accepted, refused, or asks who it is."""

from payments.sandbox import links, store
from payments.sandbox.cards import Decline, error_fields
from payments.sandbox.errors import StripeError
from payments.sandbox.ids import new_id, random_text
from payments.sandbox.models import StoredObject
from payments.sandbox.resources.payment_methods import attach_to, card_of
from payments.sandbox.scope import JSON, Scope
from payments.sandbox.shapes import money
from payments.sandbox.shapes import setups as shapes

CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
FAILED = Decline(
    "setup_intent_authentication_failure",
    "",
    "The latest attempt to set up the payment method has failed because authentication failed.",
)


def new_intent(scope: Scope, fields: JSON, hidden: JSON | None = None) -> StoredObject:
    id_ = new_id("setup_intent")
    blank = shapes.setup_intent(id_, scope.timestamp, scope.livemode, random_text(25))
    return store.insert(scope, {**blank, **fields}, event="setup_intent.created", hidden=hidden)


def confirm(
    scope: Scope, intent: StoredObject, method: StoredObject, *, return_url: str | None = None
) -> StripeError | None:
    """Set the method up; the error that the caller is told, where it is refused."""
    card = card_of(method)
    if card.declines_attach:
        return _fail(scope, intent, method, error_fields(card.declines_attach))
    if card.asks_on_setup:
        _ask(scope, intent, method, return_url)
        return None
    _succeed(scope, intent, method)
    return None


def authenticate(scope: Scope, intent: StoredObject, *, passed: bool) -> StripeError | None:
    """The owner of the card answered the bank's question, or could not."""
    method = store.lock(scope, "payment_method", intent.data["payment_method"])
    if not passed:
        fields = error_fields(FAILED)
        return _fail(scope, intent, method, {**fields, "decline_code": None, "advice_code": None})
    _succeed(scope, intent, method)
    return None


def cancel(scope: Scope, intent: StoredObject, reason: str | None) -> None:
    changes = {"cancellation_reason": reason, "next_action": None, "status": "canceled"}
    store.change(scope, intent, changes)
    scope.emit("setup_intent.canceled", intent.data)


def _succeed(scope: Scope, intent: StoredObject, method: StoredObject) -> None:
    store.change(scope, method, {}, hidden={"set_up": True})
    if intent.data["customer"]:
        attach_to(scope, store.lock(scope, "customer", intent.data["customer"]), method.stripe_id)
    changes = {
        "last_setup_error": None,
        "next_action": None,
        "payment_method": method.stripe_id,
        "status": "succeeded",
    }
    store.change(scope, intent, changes)
    scope.emit("setup_intent.succeeded", intent.data)


def _fail(scope: Scope, intent: StoredObject, method: StoredObject, fields: JSON) -> StripeError:
    error = {**{name: value for name, value in fields.items() if value is not None}, "payment_method": method.data}
    changes = {
        "last_setup_error": money.last_error(error),
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    store.change(scope, intent, changes)
    scope.emit("setup_intent.setup_failed", intent.data)
    told = {name: value for name, value in error.items() if name != "message"}
    return StripeError(402, error["message"], setup_intent=intent.data, **told)


def _ask(scope: Scope, intent: StoredObject, method: StoredObject, return_url: str | None) -> None:
    """With a place to come back to, the owner is sent to the bank's page; else the caller's SDK shows it."""
    action: JSON = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
    if return_url:
        url = links.page(scope, "3ds", intent.data["client_secret"])
        action = {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": url}}
    changes = {"next_action": action, "payment_method": method.stripe_id, "status": "requires_action"}
    store.change(scope, intent, changes, hidden={"return_url": return_url})
    scope.emit("setup_intent.requires_action", intent.data)
