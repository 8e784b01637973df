"""Minimum charges: what is missing to the least that a component, or the whole plan, costs in a cycle.

A minimum either tops up (a line of its own beside the others, for what is missing) or replaces (its line stands
alone, for the whole minimum, and keeps what it stands for). The total is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

from customers.money import format_money
from invoicing.rating.rounding import half_up
from invoicing.rating.terms import ComponentTerms, LineKind, PlanTerms, RatedLine
from invoicing.rating.wording import plain


def with_component_minimum(
    lines: Sequence[RatedLine],
    component: ComponentTerms,
    terms: PlanTerms,
    start: datetime,
    end: datetime,
    *,
    replaces: bool,
    billed: int = 0,
) -> list[RatedLine]:
    """The component's lines, and beside them or in their place that of its minimum where one applies. ``billed`` is
    what was billed of it in advance."""
    least = half_up(component.minimum_charge * terms.proration)
    if (above := sum(line.amount for line in lines) + billed - least) >= 0:
        return [*lines, *_change(above, component, least, terms, start, end)]
    text = _text(component.minimum_charge, least, billed, terms)
    kind, name = LineKind.METERED_COMPONENT_MINIMUM_CHARGE, f"{component.name} Minimum Charge"
    evidence = {"metered_component_uuid": component.uuid, "meter_name": component.meter_name}
    return _applied(kind, name, text, lines, least, billed, start, end, evidence, replaces)


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
) -> list[RatedLine]:
    least = half_up(terms.minimum_charge * terms.proration)
    if sum(line.amount for line in lines) + billed >= least:
        return list(lines)
    text = _text(terms.minimum_charge, least, billed, terms)
    name = f"{terms.label or terms.base_price_name} Minimum Charge"
    return _applied(LineKind.MINIMUM_CHARGE, name, text, lines, least, billed, start, end, {}, replaces)


def _applied(
    kind: LineKind,
    name: str,
    text: str,
    lines: Sequence[RatedLine],
    least: int,
    billed: int,
    start: datetime,
    end: datetime,
    evidence: dict[str, str],
    replaces: bool,
) -> list[RatedLine]:
    reached = sum(line.amount for line in lines)
    stands_for = [{"kind": str(line.kind), "name": line.name, "amount": line.amount} for line in lines]
    explanation = {"lines": [_replaced(line) for line in lines]} if replaces else {}
    ahead = {"billed_in_advance": billed} if billed else {}
    minimum = RatedLine(
        kind=kind,
        name=name,
        description=text,
        quantity=None,
        quantity_unit="",
        unit_price=None,
        amount=least - billed if replaces else least - billed - reached,
        start=start,
        end=end,
        metadata={
            **evidence,
            **ahead,
            "minimum": least,
            "reached": reached + billed,
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


def _text(whole: int, least: int, billed: int, terms: PlanTerms) -> str:
    text = f"Minimum of {format_money(whole, terms.currency)}"
    if least != whole:
        text += f", {format_money(least, terms.currency)} for a shorter billing cycle"
    return f"{text}, less {format_money(billed, terms.currency)} billed in advance" if billed else text
