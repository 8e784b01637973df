"""May a declined payment be tried again by itself?

One table of Stripe's decline codes, beside the advice that Stripe and the card networks give with a decline. Banks
fine those who try again what they were told never to, so that the strictest word counts. What no table knows may be
tried again: our schedule leaves days between two attempts and gives up after a few.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from invoicing.gateways import Retry

JSON = Mapping[str, Any]

# The account behind the card is gone, closed to us, or the card is not in its owner's hands.
NEVER_AGAIN = frozenset(
    {
        "card_not_supported",
        "currency_not_supported",
        "do_not_try_again",
        "fraudulent",
        "highest_risk_level",
        "incorrect_number",
        "invalid_account",
        "invalid_number",
        "lost_card",
        "merchant_blacklist",
        "new_account_information_available",
        "pickup_card",
        "restricted_card",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "security_violation",
        "stolen_card",
        "stop_payment_order",
        "transaction_not_allowed",
    }
)

# Nothing is wrong with the card; its owner has to confirm the payment in person.
CUSTOMER_MUST_ACT = frozenset(
    {"authentication_not_handled", "authentication_required", "invoice_payment_intent_requires_action"}
)

# Mastercard's merchant advice codes: do not try again; the customer stopped the payments; the account is closed.
NETWORK_NEVER = frozenset({"03", "21", "22"})

ADVICE_NEVER = "do_not_try_again"


def retry_after(code: str, decline_code: str = "", advice: str = "", network_advice: str = "") -> Retry:
    """What may follow a decline with these codes, as they stand in a card error or in a charge's outcome."""
    codes = {code, decline_code}
    if codes & NEVER_AGAIN or advice == ADVICE_NEVER or network_advice in NETWORK_NEVER:
        return Retry.NEVER
    return Retry.CUSTOMER if codes & CUSTOMER_MUST_ACT else Retry.AGAIN


def retry_after_error(problem: JSON) -> Retry:
    """``last_payment_error`` of a payment intent, or the ``error`` of an answer."""
    return retry_after(*(problem.get(name) or "" for name in _OF_AN_ERROR))


_OF_AN_ERROR = ("code", "decline_code", "advice_code", "network_advice_code")


def retry_after_charge(charge: JSON) -> Retry:
    """A failed charge."""
    outcome = charge.get("outcome") or {}
    told = (outcome.get(name) or "" for name in ("reason", "advice_code", "network_advice_code"))
    return retry_after(charge.get("failure_code") or "", *told)
