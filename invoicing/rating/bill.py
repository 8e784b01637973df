"""The lines of a billing cycle's invoice, in the order in which they are worked out (``docs/rating.md``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from customers.money import format_money
from invoicing.rating.ahead import NOTHING_AHEAD, Ahead, kept, left_to_bill, left_to_discount, unused
from invoicing.rating.discounts import DiscountTerms, discount_lines
from invoicing.rating.minimums import NOTHING_EARLIER, Earlier, with_component_minimum, with_plan_minimum
from invoicing.rating.rate import rate_cycle
from invoicing.rating.terms import ChargeTerms, LineKind, PlanTerms, RatedLine
from invoicing.usage.values import Usage

_UNIT_PRICE_STEP = Decimal("1e-12")


def bill_cycle(
    terms: PlanTerms,
    usage: Mapping[int, Usage],
    start: datetime,
    end: datetime,
    *,
    discounts: Sequence[DiscountTerms] = (),
    charges: Sequence[ChargeTerms] = (),
    minimum_replaces: bool = False,
    ahead: Ahead = NOTHING_AHEAD,
    earlier: Earlier = NOTHING_EARLIER,
) -> list[RatedLine]:
    """Base price and usage, component minimums, discounts, the plan's minimum. Ad-hoc charges stand outside them.

    ``minimum_replaces``: the line of a minimum stands in place of what it tops up. ``ahead`` is what was billed of the
    cycle in advance; where more was billed than it came to, the last line says so, and takes nothing off yet.
    ``earlier``: what counts of the cycles before towards minimum charges for several cycles.
    """
    owed = rate_cycle(terms, usage, start, end)
    back = unused(owed, ahead)
    left, replaces = left_to_bill(owed, ahead, terms.currency), minimum_replaces
    lines = _with_component_minimums(left, terms, start, end, replaces=replaces, ahead=ahead, earlier=earlier)
    lowered = discount_lines(lines, left_to_discount(discounts, ahead), terms, start, end)
    lines += [line for line in lowered if line.amount or not ahead.lines]
    billed = ahead.counted - back
    lines = with_plan_minimum(lines, terms, start, end, replaces=replaces, billed=billed, earlier=earlier.plan)
    return [*lines, *(charge_line(charge) for charge in charges), *_unused_lines(back, terms, start, end)]


def _unused_lines(amount: int, terms: PlanTerms, start: datetime, end: datetime) -> list[RatedLine]:
    if not amount:
        return []
    line = RatedLine(
        kind=LineKind.PRORATION_CREDIT,
        name=f"{terms.label or terms.base_price_name}: unused time",
        description=f"{format_money(amount, terms.currency)} billed in advance and not used",
        quantity=None,
        quantity_unit="",
        unit_price=None,
        amount=0,
        start=start,
        end=end,
        metadata={"unused": amount},
    )
    return [line]


def charge_line(charge: ChargeTerms) -> RatedLine:
    unit_price = (Decimal(charge.total_price) / charge.quantity).quantize(_UNIT_PRICE_STEP)
    return RatedLine(
        kind=LineKind.ADHOC_CHARGE,
        name=charge.name,
        description=charge.description,
        quantity=charge.quantity,
        quantity_unit="",
        unit_price=unit_price if unit_price * charge.quantity == charge.total_price else None,
        amount=charge.total_price,
        start=charge.time,
        end=charge.time,
        metadata={"adhoc_charge_uuid": charge.uuid},
        charge_key=charge.key,
    )


def _with_component_minimums(
    lines: list[RatedLine],
    terms: PlanTerms,
    start: datetime,
    end: datetime,
    *,
    replaces: bool,
    ahead: Ahead,
    earlier: Earlier,
) -> list[RatedLine]:
    """The components' lines are the last ones, in the plan's order."""
    fixed = [line for line in lines if line.kind != LineKind.METERED_COMPONENT]
    metered: dict[str, list[RatedLine]] = {component.uuid: [] for component in terms.components}
    for line in lines[len(fixed) :]:
        metered[line.metadata["metered_component_uuid"]].append(line)
    for part in terms.components:
        fixed += with_component_minimum(
            metered[part.uuid],
            part,
            terms,
            start,
            end,
            replaces=replaces,
            billed=kept(ahead, part.uuid),
            earlier=earlier.components.get(part.uuid, 0),
        )
    return fixed
