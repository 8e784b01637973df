"""A card as a person types it, made into a payment method that nobody owns yet."""

from collections.abc import Mapping

from payments.sandbox import card_numbers, store
from payments.sandbox.cards import Decline
from payments.sandbox.models import StoredObject
from payments.sandbox.resources.payment_methods import new_from_test_id
from payments.sandbox.scope import Scope

LIVE = Decline("card_declined", "live_mode_test_card", "Your card was declined: test cards do not work in live mode.")


def typed(scope: Scope, given: Mapping[str, str], *, email: str | None) -> StoredObject:
    """From the fields of the form. Raises ``card_numbers.Refusal``, and then nothing was made."""
    card = card_numbers.recognized(given.get("number", ""))
    month, year = card_numbers.expiry(given.get("expiry", ""), scope.now.date())
    card_numbers.check_cvc(given.get("cvc", "").strip())
    row = new_from_test_id(scope, card.method)
    if row is None:
        raise card_numbers.Refusal(LIVE)
    billing = {**row.data["billing_details"], "name": given.get("name", "").strip() or None, "email": email}
    dated = {**row.data["card"], "exp_month": month, "exp_year": year}
    store.change(scope, row, {"card": dated, "billing_details": billing})
    return row
