"""Which declines must not be tried again by themselves?

The networks fine merchants who repeat a payment that its bank has refused for good, and no repetition of it
can succeed. Such a debt waits for another payment method, for the customer, or for a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NEVER_ADVICE = "do_not_try_again"

# https://docs.stripe.com/billing/revenue-recovery/smart-retries names those that Stripe does not try again
# either; the others say in so many words that the card is unusable or the payment unwanted.
NEVER: frozenset[str] = frozenset(
    {
        "authentication_required",
        "authentication_not_handled",
        "fraudulent",
        "highest_risk_level",
        "incorrect_number",
        "invalid_account",
        "invalid_number",
        "lost_card",
        "merchant_blacklist",
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

JSON = Mapping[str, Any]


def is_final(*, code: str = "", decline_code: str = "", advice_code: str = "") -> bool:
    """Whether the same payment must not be tried again with the same method."""
    return advice_code == NEVER_ADVICE or code in NEVER or decline_code in NEVER


def charge_is_final(charge: JSON) -> bool:
    """The same of a failed charge. ``outcome.reason`` repeats the decline code."""
    if charge["status"] != "failed":
        return False
    outcome = charge.get("outcome") or {}
    return is_final(
        code=charge.get("failure_code") or "",
        decline_code=outcome.get("reason") or "",
        advice_code=outcome.get("advice_code") or "",
    )


def error_is_final(problem: JSON) -> bool:
    """The same of Stripe's error object, as an answer or as ``last_payment_error``."""
    return is_final(
        code=problem.get("code") or "",
        decline_code=problem.get("decline_code") or "",
        advice_code=problem.get("advice_code") or "",
    )
