"""What is billed in advance, when a cycle begins, and what of it the cycle's own invoice makes up for or gives back.

Fixed items are billed whole, levels (gauges) as if they held from start to end. When the cycle is over, fixed items
are compared with what they came to: what is missing is a line, what was too much is given back. Of a level, what is
above the amount billed in advance is a line where the settings say so; what is below stays billed, except for the time
that a shorter cycle did not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from customers.money import format_money
from invoicing.rating.discounts import DiscountTerms, DiscountType, discount_lines
from invoicing.rating.rate import rate_cycle
from invoicing.rating.rounding import half_up
from invoicing.rating.terms import LineKind, PlanTerms, RatedLine
from invoicing.usage.values import Usage

# In place of a discount's uuid: a line that the credit of a trial paid.
TRIAL_CREDIT = "trial credit"

_BY_TIME = "TIME_WEIGHTED_SUM"


@dataclass(frozen=True, slots=True)
class AheadLine:
    """One line that was billed in advance."""

    kind: str
    amount: int
    metadata: Mapping[str, Any]

    @property
    def item(self) -> str:
        return item_of(self)


@dataclass(frozen=True, slots=True)
class Ahead:
    """What was billed of a cycle in advance. ``used`` is the part of its planned time that the cycle lasted, and
    ``trues_up`` whether levels above what was billed are billed. ``forgiven``: that invoice was voided, so nothing
    of it is given back."""

    lines: tuple[AheadLine, ...] = ()
    used: Fraction = Fraction(1)
    trues_up: bool = False
    forgiven: bool = False

    def billed(self, item: str) -> int:
        """The sum of an item's lines."""
        return sum(line.amount for line in self.lines if line.item == item)

    @property
    def gross(self) -> int:
        return sum(line.amount for line in self.lines if line.kind != LineKind.DISCOUNT)

    @property
    def net(self) -> int:
        return sum(line.amount for line in self.lines)

    @property
    def counted(self) -> int:
        """What counts towards minimum charges: the credit of a trial paid for some of it, but lowered nothing."""
        return sum(line.amount for line in self.lines if line.metadata.get("discount_uuid") != TRIAL_CREDIT)

    @property
    def items(self) -> dict[str, AheadLine]:
        return {line.item: line for line in self.lines if line.kind != LineKind.DISCOUNT}


NOTHING_AHEAD = Ahead()


def item_of(line: RatedLine | AheadLine) -> str:
    """What a line bills: a component, an add-on, a discount, or the base price."""
    said = line.metadata
    return str(
        said.get("discount_uuid") or said.get("add_on_uuid") or said.get("metered_component_uuid") or "base price"
    )


def open_cycle(
    terms: PlanTerms,
    levels: Mapping[int, Usage],
    start: datetime,
    end: datetime,
    *,
    discounts: Sequence[DiscountTerms] = (),
) -> list[RatedLine]:
    """What is billed of a cycle when it begins; nothing where all of it is free. ``levels`` is what those components
    come to that are billed in advance, by their keys; the others are left out."""
    ahead = replace(terms, components=tuple(part for part in terms.components if part.key in levels))
    lines = rate_cycle(ahead, levels, start, end)
    if not any(line.amount for line in lines):
        return []
    lines += [line for line in discount_lines(lines, discounts, terms, start, end) if line.amount]
    return in_advance(lines)


def in_advance(lines: Sequence[RatedLine]) -> list[RatedLine]:
    return [replace(line, in_advance=True, metadata={**line.metadata, "in_advance": True}) for line in lines]


def left_to_bill(lines: Sequence[RatedLine], ahead: Ahead, currency: str) -> list[RatedLine]:
    """The cycle's lines without what was billed of them in advance."""
    found: list[RatedLine] = []
    seen = set()
    for line in lines:
        item = item_of(line)
        if item not in ahead.items:
            found.append(line)
        elif item not in seen:
            seen.add(item)
            found += _rest([one for one in lines if item_of(one) == item], ahead, item, currency)
    return found


def _rest(lines: Sequence[RatedLine], ahead: Ahead, item: str, currency: str) -> list[RatedLine]:
    """One line for all of an item."""
    owed, billed = sum(line.amount for line in lines), kept(ahead, item)
    is_level = lines[0].kind == LineKind.METERED_COMPONENT
    if owed <= billed or is_level and not ahead.trues_up:
        return []
    text = f"{format_money(owed, currency)} less {format_money(billed, currency)} billed in advance"
    line = replace(
        lines[0],
        name=f"{_name(lines)} (true-up)" if is_level else lines[0].name,
        description=text,
        quantity=None,
        unit_price=None,
        amount=owed - billed,
        metadata={**_of_all(lines), "came_to": owed, "billed_in_advance": billed},
    )
    return [line]


def _of_all(lines: Sequence[RatedLine]) -> dict[str, Any]:
    """What the first says of itself, without the labels that are its alone."""
    return {name: said for name, said in lines[0].metadata.items() if name != "labels"}


def _name(lines: Sequence[RatedLine]) -> str:
    labels = lines[0].metadata.get("labels")
    return lines[0].name.removesuffix(f" ({', '.join(labels.values())})") if labels else lines[0].name


def kept(ahead: Ahead, item: str) -> int:
    """What of the amount billed in advance is for the time that the cycle had. Fixed items are compared as a whole."""
    first, billed = ahead.items.get(item), ahead.billed(item)
    if first is None:
        return 0
    if first.kind != LineKind.METERED_COMPONENT:
        return billed
    by_time = first.metadata.get("aggregation") == _BY_TIME or ahead.used == 0
    return half_up(billed * ahead.used) if by_time else billed


def unused(lines: Sequence[RatedLine], ahead: Ahead) -> int:
    """What has to be given back, after its share of the discounts. ``lines`` are all of the cycle's, as if nothing had
    been billed in advance."""
    if ahead.forgiven or not ahead.gross:
        return 0
    back = sum(_back(lines, ahead, item) for item in ahead.items)
    return half_up(Fraction(back) * ahead.net / ahead.gross)


def _back(lines: Sequence[RatedLine], ahead: Ahead, item: str) -> int:
    billed = ahead.billed(item)
    if ahead.items[item].kind == LineKind.METERED_COMPONENT:
        return billed - kept(ahead, item)
    return max(billed - sum(line.amount for line in lines if item_of(line) == item), 0)


def left_to_discount(discounts: Sequence[DiscountTerms], ahead: Ahead) -> list[DiscountTerms]:
    """An amount takes no more than itself from both invoices together; a share follows each."""
    return [left for discount in discounts if (left := _left(discount, ahead)).amount > 0]


def _left(discount: DiscountTerms, ahead: Ahead) -> DiscountTerms:
    if discount.type is DiscountType.PERCENT:
        return discount
    return replace(discount, amount=discount.amount + Decimal(ahead.billed(discount.uuid)))
