"""The lines of a billing cycle's invoice, in the order in which they are worked out (``docs/rating.md``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from invoicing.rating.discounts import DiscountTerms, discount_lines
from invoicing.rating.minimums import with_component_minimum, with_plan_minimum
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
) -> list[RatedLine]:
    """Base price and usage, component minimums, discounts, the plan's minimum. Ad-hoc charges stand outside them.

    ``minimum_replaces``: the line of a minimum stands in place of what it tops up.
    """
    lines = _with_component_minimums(rate_cycle(terms, usage, start, end), terms, minimum_replaces)
    lines += discount_lines(lines, discounts, terms, start, end)
    lines = with_plan_minimum(lines, terms, start, end, replaces=minimum_replaces)
    return [*lines, *(charge_line(charge) for charge in charges)]


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


def _with_component_minimums(lines: list[RatedLine], terms: PlanTerms, replaces: bool) -> list[RatedLine]:
    """The components' lines are the last ones, in the plan's order."""
    fixed = [line for line in lines if line.kind != LineKind.METERED_COMPONENT]
    metered: dict[str, list[RatedLine]] = {component.uuid: [] for component in terms.components}
    for line in lines[len(fixed) :]:
        metered[line.metadata["metered_component_uuid"]].append(line)
    for component in terms.components:
        fixed += with_component_minimum(metered[component.uuid], component, terms, replaces=replaces)
    return fixed
