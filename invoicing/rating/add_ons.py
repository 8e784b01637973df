"""Add-ons: fixed items, billed for the time in which the customer had them, or once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from customers.money import format_money, format_unit_price
from invoicing.rating import schemes
from invoicing.rating.rounding import half_up
from invoicing.rating.terms import Addition, AddOnTerms, LineKind, PlanTerms, RatedLine, Scheme, Stretch
from invoicing.rating.wording import grouped, plain


def add_on_lines(terms: PlanTerms, start: datetime, end: datetime) -> list[RatedLine]:
    """One for each that the customer had in the cycle."""
    return [_line(add_on, terms, start, end) for add_on in terms.add_ons if _concerns(add_on)]


def added_line(added: Addition, currency: str, end: datetime) -> RatedLine:
    """What it costs that there is more of it, from its moment up to ``end``."""
    add_on, more = added.add_on, added.after - added.before
    prices = [schemes.amount(add_on.scheme, number) for number in (added.before, added.after)]
    is_flat = add_on.scheme.kind is Scheme.FLAT
    whole = added.share == 1
    return RatedLine(
        kind=LineKind.ADD_ON,
        name=add_on.name,
        description=_added_text(added, more, currency),
        quantity=more if whole else None,
        quantity_unit="",
        unit_price=add_on.scheme.tiers[0].price if is_flat and whole else None,
        amount=half_up((prices[1] - prices[0]) * added.share),
        start=added.since,
        end=end,
        metadata=_metadata(add_on),
    )


def _added_text(added: Addition, more: Decimal, currency: str) -> str:
    if added.add_on.single_use:
        return f"{grouped(more)}, once"
    if added.add_on.scheme.kind is Scheme.FLAT:
        return _stretch(added.add_on, more, added.share, currency)
    percent, every = half_up(added.share * 10_000) / Decimal(100), added.add_on.price_frequency
    of = "a billing cycle" if every == 1 else f"{every} billing cycles"
    return f"{grouped(more)} more, {grouped(added.after)} in all, for {plain(percent)}% of {of}"


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
        amount=_amount(add_on),
        start=start,
        end=end,
        metadata=_metadata(add_on),
    )


def _metadata(add_on: AddOnTerms) -> dict[str, Any]:
    if add_on.price_frequency == 1:
        return {"add_on_uuid": add_on.uuid}
    return {
        "add_on_uuid": add_on.uuid,
        "price_frequency": add_on.price_frequency,
        "charge_frequency": add_on.charge_frequency,
    }


def _amount(add_on: AddOnTerms) -> int:
    if add_on.single_use:
        return half_up(schemes.amount(add_on.scheme, add_on.reached) - schemes.amount(add_on.scheme, add_on.before))
    # Parts of one price add up to it: what is rounded is what it has come to.
    before = _price(add_on, add_on.earlier)
    return half_up(before + _price(add_on, add_on.stretches)) - half_up(before)


def _price(add_on: AddOnTerms, stretches: Iterable[Stretch]) -> Fraction:
    return sum((schemes.amount(add_on.scheme, one.quantity) * one.share for one in stretches), Fraction(0))


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
        return "" if add_on.price_frequency == 1 else f"for {add_on.price_frequency} billing cycles"
    return " + ".join(_stretch(add_on, one.quantity, one.share, currency) for one in add_on.stretches if one.quantity)


def _stretch(add_on: AddOnTerms, quantity: Decimal, share: Fraction, currency: str) -> str:
    if add_on.scheme.kind is Scheme.FLAT:
        price = f"{grouped(quantity)} x {format_unit_price(add_on.scheme.tiers[0].price, currency)}"
    else:
        price = f"{grouped(quantity)} at {format_money(half_up(schemes.amount(add_on.scheme, quantity)), currency)}"
    percent = half_up(share * 10_000) / Decimal(100)
    every = add_on.price_frequency
    return f"{price} for {plain(percent)}% of {'a billing cycle' if every == 1 else f'{every} billing cycles'}"
