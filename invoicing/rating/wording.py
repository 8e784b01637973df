"""The text of a line: how its amount came about, in one row of plain English."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext
from fractions import Fraction

from customers.money import format_unit_price
from invoicing.rating.schemes import Step
from invoicing.rating.terms import ComponentTerms, Scheme

# A price and a quantity have 30 digits each; a batch adds ten.
MOST_DIGITS = 100


def plain(number: Decimal) -> str:
    """A number without exponent and without idle zeros: 1234.500 -> 1234.5."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def exact(amount: Fraction) -> str:
    """As a decimal where there is one, else as a fraction: 3.5, 10/3."""
    if amount.denominator == 1:
        return str(amount.numerator)
    rest = amount.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest > 1:
        return str(amount)
    with localcontext(prec=MOST_DIGITS):
        return plain(Decimal(amount.numerator) / amount.denominator)


def grouped(number: Decimal) -> str:
    """The same for people: 1234.500 -> 1,234.5."""
    whole, dot, decimals = plain(number).partition(".")
    return f"{int(whole):,}{dot}{decimals}"


def describe_steps(
    component: ComponentTerms, quantity: Decimal, steps: Sequence[Step], currency: str, before: Decimal = Decimal(0)
) -> str:
    """ "1,234 calls x $0.07", or several such parts joined by "+"; ``before`` is what earlier billing cycles used
    of the same tiers."""
    text = _steps(component, quantity, steps, currency, before)
    return f"{text}, after {grouped(before)} in earlier billing cycles" if before > 0 and steps else text


def _steps(component: ComponentTerms, quantity: Decimal, steps: Sequence[Step], currency: str, before: Decimal) -> str:
    unit = component.unit_name or "units"
    if not steps:
        missing = "" if component.scheme.tiers else ": not in the price list"
        return f"{grouped(quantity)} {unit}{missing}"
    if component.scheme.kind is Scheme.STAIRSTEP:
        return f"{grouped(quantity)} {unit}: {_step(steps[0], before + quantity, unit, currency)}"
    return " + ".join(
        f"{grouped(step.quantity)} {unit} x {_price(step, component.scheme.batch_size, currency)}" for step in steps
    )


def _price(step: Step, batch_size: int, currency: str) -> str:
    price = format_unit_price(step.tier.price, currency)
    return price if batch_size == 1 else f"{price} per {batch_size:,}"


def _step(step: Step, reached: Decimal, unit: str, currency: str) -> str:
    """The price of a step, less what was paid for the steps below it before."""
    cap, paid = step.tier.cap, Fraction(step.tier.price) - step.amount
    text = "" if cap is None or reached > cap else f"up to {grouped(cap)} {unit} "
    text += format_unit_price(step.tier.price, currency)
    return f"{text} less {format_unit_price(Decimal(exact(paid)), currency)}" if paid else text
