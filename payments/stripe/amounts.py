"""Which amounts does Stripe take? Asked before any call, so that a refusal names the remedy."""

from __future__ import annotations

from collections.abc import Iterable

from customers.money import THREE_DECIMAL, format_money
from invoicing.gateways import GatewayRejected

# A payment has at most this many digits in minor units; some currencies have more of them.
MOST_DIGITS = 8
MORE_DIGITS = {"COP": 10, "HUF": 10, "IDR": 12, "JPY": 10}

# Amounts must be multiples of this much: the last digits exist only on paper.
WHOLE_ONLY = {"ISK": 100, "UGX": 100}

TOO_LARGE = "Stripe takes at most {most} in one payment, and this is {amount}. Bill it in smaller parts."
TOO_FINE = (
    "Stripe takes {currency} only in steps of {step}, and {what} is {amount}. "
    "Choose prices that come to such steps, or send this customer's invoices by e-mail."
)


def step(currency: str) -> int:
    code = currency.upper()
    return 10 if code in THREE_DECIMAL else WHOLE_ONLY.get(code, 1)


def largest(currency: str) -> int:
    return int(10 ** MORE_DIGITS.get(currency.upper(), MOST_DIGITS)) - 1


def check(total: int, parts: Iterable[int], currency: str) -> None:
    """Raises ``GatewayRejected`` for a total, or a part of it, that Stripe would refuse."""
    if total > largest(currency):
        text = TOO_LARGE.format(most=format_money(largest(currency), currency), amount=format_money(total, currency))
        raise GatewayRejected(text, code="amount_too_large")
    for what, amount in [("the total", total), *(("an item", part) for part in parts)]:
        if amount % step(currency):
            raise GatewayRejected(_too_fine(what, amount, currency), code="invalid_amount")


def _too_fine(what: str, amount: int, currency: str) -> str:
    steps = format_money(step(currency), currency)
    return TOO_FINE.format(currency=currency.upper(), step=steps, what=what, amount=format_money(amount, currency))
