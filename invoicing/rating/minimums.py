"""Minimum charges: what is missing to the least that a component, or the whole plan, costs in a cycle.

A minimum either tops up (a line of its own beside the others, for what is missing) or replaces (its line stands
alone, for the whole minimum, and keeps what it stands for). The total is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any

from customers.money import format_money
from invoicing.rating.rounding import half_up
from invoicing.rating.terms import ComponentTerms, LineKind, PlanTerms, RatedLine
from invoicing.rating.wording import plain


@dataclass(frozen=True, slots=True)
class Earlier:
    """What the billing cycles before came to that have a minimum charge together with this one: by component, and of
    the whole plan."""

    components: Mapping[str, int] = field(default_factory=dict)
    plan: int = 0


NOTHING_EARLIER = Earlier()


def counted(lines: Iterable[RatedLine], component_uuid: str = "") -> int:
    """What lines count towards the plan's minimum charge, or towards that of a component."""
    if component_uuid:
        own = (line for line in lines if line.metadata.get("metered_component_uuid") == component_uuid)
        return sum(line.amount for line in own if line.kind == LineKind.METERED_COMPONENT)
    outside = (LineKind.ADHOC_CHARGE, LineKind.PRORATION_CREDIT)
    return sum(line.amount for line in lines if line.kind not in outside)


def with_component_minimum(
    lines: Sequence[RatedLine],
    component: ComponentTerms,
    terms: PlanTerms,
    start: datetime,
    end: datetime,
    *,
    replaces: bool,
    billed: int = 0,
    earlier: int = 0,
) -> list[RatedLine]:
    """The component's lines, and beside them or in their place that of its minimum where one applies. ``billed`` is
    what was billed of it in advance, ``earlier`` what the billing cycles before came to that have the minimum together
    with this one."""
    share = terms.proration if component.minimum_share is None else component.minimum_share
    if component.minimum_share == 0:
        return list(lines)
    least = component.minimum_charge and half_up(component.minimum_charge * share)
    if (above := sum(line.amount for line in lines) + billed + earlier - least) >= 0:
        return [*lines, *_change(above, component, least, terms, start, end)]
    text = _text(component.minimum_charge, least, billed, earlier, component.minimum_frequency, terms.currency)
    kind, name = LineKind.METERED_COMPONENT_MINIMUM_CHARGE, f"{component.name} Minimum Charge"
    evidence = {"metered_component_uuid": component.uuid, "meter_name": component.meter_name}
    return _applied(kind, name, text, lines, least, billed, earlier, start, end, evidence, replaces)


def _change(
    above: int, component: ComponentTerms, least: int, terms: PlanTerms, start: datetime, end: datetime
) -> list[RatedLine]:
    percent = component.change_after_minimum
    if not percent or not above:
        return []
    text = f"{plain(percent)}% of {format_money(above, terms.currency)} above the minimum charge of"
    line = RatedLine(
        kind=LineKind.METERED_COMPONENT,
        name=f"{component.name}: above the minimum charge",
        description=f"{text} {format_money(least, terms.currency)}",
        quantity=None,
        quantity_unit="",
        unit_price=None,
        amount=half_up(Fraction(above) * Fraction(percent) / 100),
        start=start,
        end=end,
        metadata={"metered_component_uuid": component.uuid, "meter_name": component.meter_name, "above": above},
    )
    return [line]


def with_plan_minimum(
    lines: Sequence[RatedLine],
    terms: PlanTerms,
    start: datetime,
    end: datetime,
    *,
    replaces: bool,
    billed: int = 0,
    earlier: int = 0,
) -> list[RatedLine]:
    share = terms.proration if terms.minimum_share is None else terms.minimum_share
    least = terms.minimum_charge and half_up(terms.minimum_charge * share)
    if sum(line.amount for line in lines) + billed + earlier >= least or terms.minimum_share == 0:
        return list(lines)
    text = _text(terms.minimum_charge, least, billed, earlier, terms.minimum_frequency, terms.currency)
    name = f"{terms.label or terms.base_price_name} Minimum Charge"
    return _applied(LineKind.MINIMUM_CHARGE, name, text, lines, least, billed, earlier, start, end, {}, replaces)


def _applied(
    kind: LineKind,
    name: str,
    text: str,
    lines: Sequence[RatedLine],
    least: int,
    billed: int,
    earlier: int,
    start: datetime,
    end: datetime,
    evidence: dict[str, str],
    replaces: bool,
) -> list[RatedLine]:
    reached = sum(line.amount for line in lines)
    stands_for = [{"kind": str(line.kind), "name": line.name, "amount": line.amount} for line in lines]
    explanation = {"lines": [_replaced(line) for line in lines]} if replaces else {}
    ahead = {"billed_in_advance": billed} if billed else {}
    ahead |= {"earlier": earlier} if earlier else {}
    minimum = RatedLine(
        kind=kind,
        name=name,
        description=text,
        quantity=None,
        quantity_unit="",
        unit_price=None,
        amount=least - billed - earlier if replaces else least - billed - earlier - reached,
        start=start,
        end=end,
        metadata={
            **evidence,
            **ahead,
            "minimum": least,
            "reached": reached + billed + earlier,
            **({"replaces": stands_for} if replaces else {}),
        },
        explanation=explanation,
    )
    return [minimum] if replaces else [*lines, minimum]


def _replaced(line: RatedLine) -> dict[str, Any]:
    """The line as it would have been, so that it can still be explained."""
    return {
        "kind": str(line.kind),
        "name": line.name,
        "description": line.description,
        "quantity": None if line.quantity is None else plain(line.quantity),
        "quantity_unit": line.quantity_unit,
        "amount": line.amount,
        "metadata": line.metadata,
        "explanation": line.explanation,
    }


def _text(whole: int, least: int, billed: int, earlier: int, every: int, currency: str) -> str:
    text = f"Minimum of {format_money(whole, currency)}"
    if every > 1:
        text += f" for {every} billing cycles"
    if least != whole:
        text += (
            f", {format_money(least, currency)} for {'the time they had' if every > 1 else 'a shorter billing cycle'}"
        )
    if billed:
        text += f", less {format_money(billed, currency)} billed in advance"
    return f"{text}, less {format_money(earlier, currency)} of the cycles before" if earlier else text
