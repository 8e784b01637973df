"""What Stripe's refusals mean to us, as a table, and how they are told to an operator.

Two kinds come out (``invoicing/gateways.py``): unavailable, which is asked again with the same key, and
rejected, which stops and is shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from invoicing.gateways import GatewayError, GatewayRejected, GatewayUnavailable


@dataclass(frozen=True, slots=True)
class Problem:
    """A failed call without the SDK's types. ``kind`` is the name of the SDK's exception class."""

    kind: str
    message: str = ""
    status: int | None = None
    code: str = ""
    decline_code: str = ""
    param: str = ""
    request_id: str = ""
    account_id: str = ""


# The same words for codes and decline codes: https://docs.stripe.com/declines/codes names far more of
# them; for those the message that Stripe sends along is plain enough.
DECLINES = {
    "authentication_required": "The bank asks for authentication: the customer must pay the invoice in person",
    "card_declined": "The card was declined",
    "card_velocity_exceeded": "The card's limit is used up",
    "do_not_honor": "The bank declined the payment without giving a reason",
    "expired_card": "The card has expired",
    "fraudulent": "The payment was declined as suspicious",
    "generic_decline": "The bank declined the payment without giving a reason",
    "incorrect_cvc": "The card's security code is wrong",
    "insufficient_funds": "The card has insufficient funds",
    "lost_card": "The card was reported lost",
    "processing_error": "The bank could not process the card",
    "stolen_card": "The card was reported stolen",
}

_UNAVAILABLE = {
    "APIConnectionError": "Stripe did not answer.",
    "RateLimitError": "Stripe asks us to slow down.",
    "APIError": "Stripe had an internal problem.",
}

_REJECTED = {
    "AuthenticationError": "Stripe refused the platform's secret key. Check the key in the installation's settings.",
    "InvalidGrantError": "Stripe does not accept the authorization code: it was used before, is too old, or "
    "belongs to the other mode.",
    "InvalidClientError": "Stripe does not know the connection of account {account} with this application.",
    "IdempotencyError": "Stripe has seen this request before with other contents and refused it.",
}


SHUT_OUT = "Stripe does not let us act for account {account}. Connect it again under Settings -> Invoicing & Payments."
TOO_NARROW = (
    "What was granted to us for account {account} is too little for this. Connect it again for reading and writing, or "
    "give the restricted key that was entered for it the permission, under Settings -> Invoicing & Payments."
)


def is_shut_out(problem: Problem) -> bool:
    """Whether a 403 says that the account is closed to us, and not only something in it: a grant or a restricted
    key may be too narrow for one call (``more_permissions_required...``) and good for all others."""
    if problem.kind != "PermissionError":
        return False
    return problem.code == "account_invalid" or (not problem.code and "may have been revoked" in problem.message)


def explain(problem: Problem) -> GatewayError:
    """The error to raise in place of the SDK's."""
    code = problem.decline_code or problem.code or _snake(problem.kind)
    if problem.kind in _UNAVAILABLE or problem.code in ("lock_timeout", "idempotency_key_in_use"):
        return GatewayUnavailable(_with_detail(_UNAVAILABLE.get(problem.kind, "Stripe is busy."), problem), code=code)
    if problem.kind == "PermissionError":
        words = (SHUT_OUT if is_shut_out(problem) else TOO_NARROW).format(account=problem.account_id)
        return GatewayRejected(words if is_shut_out(problem) else _with_detail(words, problem), code=code)
    if problem.kind in _REJECTED:
        message = _REJECTED[problem.kind].format(account=problem.account_id or "of the platform")
        return GatewayRejected(message, code=code)
    if problem.kind == "CardError":
        return GatewayRejected(decline_words(problem.code, problem.decline_code, problem.message), code=code)
    if problem.kind == "InvalidRequestError":
        return GatewayRejected(_with_detail("Stripe refused the request.", problem), code=code)
    # An error class that a newer SDK brings: the outcome is unknown, and asking again is safe.
    return GatewayUnavailable(_with_detail("Stripe answered in an unexpected way.", problem), code=code)


def decline_words(code: str, decline_code: str, message: str) -> str:
    """Why a payment failed, for people, with the code that can be looked up."""
    words = DECLINES.get(decline_code) or DECLINES.get(code) or message.rstrip(".") or "The payment failed"
    shown = decline_code or code
    return f"{words} ({shown})." if shown else f"{words}."


def _with_detail(words: str, problem: Problem) -> str:
    detail = problem.message.strip()
    code = f" ({problem.code})" if problem.code else ""
    request = f" Request {problem.request_id}." if problem.request_id else ""
    return f"{words} {detail}{code}{request}" if detail else f"{words}{code}{request}"


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() and i and not name[i - 1].isupper() else c.lower()
                   for i, c in enumerate(name))  # fmt: skip
