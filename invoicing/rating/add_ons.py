"""Add-ons: fixed items, billed for the time in which the customer had them, or once."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from customers.money import format_money, format_unit_price
from invoicing.rating import schemes
from invoicing.rating.rounding import half_up
from invoicing.rating.terms import AddOnTerms, LineKind, PlanTerms, RatedLine, Scheme
from invoicing.rating.wording import grouped, plain


def add_on_lines(terms: PlanTerms, start: datetime, end: datetime) -> list[RatedLine]:
    """One for each that the customer had in the cycle."""
    return [_line(add_on, terms, start, end) for add_on in terms.add_ons if _concerns(add_on)]


def _concerns(add_on: AddOnTerms) -> bool:
    if add_on.single_use:
        return add_on.reached > add_on.before
    return any(stretch.quantity for stretch in add_on.stretches)


def _line(add_on: AddOnTerms, terms: PlanTerms, start: datetime, end: datetime) -> RatedLine:
    quantity = _whole_quantity(add_on)
    is_flat = add_on.scheme.kind is Scheme.FLAT
    return RatedLine(
        kind=LineKind.ADD_ON,
        name=add_on.name,
        description=_text(add_on, terms.currency),
        quantity=quantity,
        quantity_unit="",
        unit_price=add_on.scheme.tiers[0].price if is_flat and quantity is not None else None,
        amount=half_up(_amount(add_on)),
        start=start,
        end=end,
        metadata={"add_on_uuid": add_on.uuid},
    )


def _amount(add_on: AddOnTerms) -> Fraction:
    if add_on.single_use:
        return schemes.amount(add_on.scheme, add_on.reached) - schemes.amount(add_on.scheme, add_on.before)
    return sum((schemes.amount(add_on.scheme, one.quantity) * one.share for one in add_on.stretches), Fraction(0))


def _whole_quantity(add_on: AddOnTerms) -> Decimal | None:
    """Where it did not change, in a whole cycle."""
    if add_on.single_use:
        return add_on.reached - add_on.before
    held = [one for one in add_on.stretches if one.share]
    return held[0].quantity if len(held) == 1 and held[0].share == 1 else None


def _text(add_on: AddOnTerms, currency: str) -> str:
    if add_on.single_use:
        return f"{grouped(add_on.reached - add_on.before)}, once"
    if _whole_quantity(add_on) is not None:
        return ""
    return " + ".join(_stretch(add_on, one.quantity, one.share, currency) for one in add_on.stretches if one.quantity)


def _stretch(add_on: AddOnTerms, quantity: Decimal, share: Fraction, currency: str) -> str:
    if add_on.scheme.kind is Scheme.FLAT:
        price = f"{grouped(quantity)} x {format_unit_price(add_on.scheme.tiers[0].price, currency)}"
    else:
        price = f"{grouped(quantity)} at {format_money(half_up(schemes.amount(add_on.scheme, quantity)), currency)}"
    percent = half_up(share * 10_000) / Decimal(100)
    return f"{price} for {plain(percent)}% of a billing cycle"
