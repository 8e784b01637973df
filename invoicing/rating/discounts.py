"""Discounts: negative lines, each for a share or an amount of what it applies to, and never for more than that.

Those of a component or of the base price come first, those of the invoice's total after them, and before both those of
a component's usage with certain labels; among equals, in the order in which they were given. Each is worked out on what
those before it have left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from customers.money import format_money
from invoicing.rating.rounding import half_up
from invoicing.rating.terms import LineKind, PlanTerms, RatedLine
from invoicing.rating.wording import plain


class DiscountType(StrEnum):
    FLAT = "FLAT"
    PERCENT = "PERCENT"


class DiscountScope(StrEnum):
    INVOICE_TOTAL = "INVOICE_TOTAL"
    METERED_COMPONENT = "METERED_COMPONENT"
    BASE_PRICE = "BASE_PRICE"
    ADD_ON = "ADD_ON"


@dataclass(frozen=True, slots=True)
class DiscountTerms:
    """``amount`` is in minor units, or percent. ``component_uuid`` where the scope is a component, ``add_on_uuid``
    where it is an add-on. ``labels``: only of the component's usage with these. ``coupon`` is the name, as people
    read it, of the coupon that it came from."""

    uuid: str
    type: DiscountType
    amount: Decimal
    scope: DiscountScope
    component_uuid: str = ""
    coupon: str = ""
    add_on_uuid: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


_NAMES = {
    DiscountScope.INVOICE_TOTAL: "Invoice Total Discount",
    DiscountScope.METERED_COMPONENT: "Discount",
    DiscountScope.BASE_PRICE: "Base Price Discount",
    DiscountScope.ADD_ON: "Discount",
}


def discount_lines(
    lines: Sequence[RatedLine], discounts: Sequence[DiscountTerms], terms: PlanTerms, start: datetime, end: datetime
) -> list[RatedLine]:
    """One line for each discount, also where there was nothing to take it from."""
    found: list[RatedLine] = []
    for discount in sorted(discounts, key=_rank):
        base = sum(line.amount for line in [*lines, *found] if _concerns(discount, line))
        found.append(_line(discount, max(base, 0), terms, start, end))
    return found


def _rank(discount: DiscountTerms) -> int:
    """The narrower comes first, so that no part is taken twice."""
    return 2 if discount.scope is DiscountScope.INVOICE_TOTAL else int(not discount.labels)


def discounted_base_price(base_price: int, discounts: Sequence[DiscountTerms]) -> int:
    for discount in discounts:
        if discount.scope is DiscountScope.BASE_PRICE:
            base_price -= _off(discount, base_price)
    return base_price


def discounted_add_ons(prices: Mapping[str, int], discounts: Sequence[DiscountTerms]) -> int:
    """The sum of the prices, which are by the add-ons' uuids."""
    left = dict(prices)
    for discount in discounts:
        if discount.add_on_uuid in left:
            left[discount.add_on_uuid] -= _off(discount, left[discount.add_on_uuid])
    return sum(left.values())


def _concerns(discount: DiscountTerms, line: RatedLine) -> bool:
    match discount.scope:
        case DiscountScope.INVOICE_TOTAL:
            return True
        case DiscountScope.BASE_PRICE:
            return line.kind == LineKind.BASE_PRICE or line.metadata.get("scope") == discount.scope
        case DiscountScope.ADD_ON:
            return bool(line.metadata.get("add_on_uuid") == discount.add_on_uuid)
    if discount.labels and line.metadata.get("labels") != discount.labels:
        return False
    return bool(line.metadata.get("metered_component_uuid") == discount.component_uuid)


def _line(discount: DiscountTerms, base: int, terms: PlanTerms, start: datetime, end: datetime) -> RatedLine:
    about = {"metered_component_uuid": discount.component_uuid} if discount.component_uuid else {}
    about |= {"add_on_uuid": discount.add_on_uuid} if discount.add_on_uuid else {}
    labels = {"labels": dict(discount.labels)} if discount.labels else {}
    return RatedLine(
        kind=LineKind.DISCOUNT,
        name=_name(discount, terms),
        description=_text(discount, base, terms.currency),
        quantity=None,
        quantity_unit="",
        unit_price=None,
        amount=-_off(discount, base),
        start=start,
        end=end,
        metadata={"discount_uuid": discount.uuid, "scope": str(discount.scope), "applies_to": base, **about, **labels},
    )


def _off(discount: DiscountTerms, base: int) -> int:
    if discount.type is DiscountType.PERCENT:
        return min(half_up(Fraction(base) * Fraction(discount.amount) / 100), base)
    return min(half_up(Fraction(discount.amount)), base)


def _name(discount: DiscountTerms, terms: PlanTerms) -> str:
    names = {part.uuid: part.name for part in terms.components} | {one.uuid: one.name for one in terms.add_ons}
    part = names.get(discount.component_uuid or discount.add_on_uuid, "")
    part += f" ({', '.join(value for _, value in sorted(discount.labels.items()))})" if discount.labels else ""
    return f"{part} {_NAMES[discount.scope]}".strip()


def _text(discount: DiscountTerms, base: int, currency: str) -> str:
    of = format_money(base, currency)
    if discount.type is DiscountType.PERCENT:
        text = f"{plain(discount.amount)}% of {of}"
    else:
        text = f"{format_money(half_up(Fraction(discount.amount)), currency)} off {of}"
    return f"{text}, coupon {discount.coupon}" if discount.coupon else text
