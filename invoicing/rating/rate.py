"""Rating a billing cycle: terms and usage in, line items out. Same input, same lines; no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from customers.money import format_money
from invoicing.rating import schemes
from invoicing.rating.add_ons import add_on_lines
from invoicing.rating.price_lists import Labels, price_parts, scheme_for
from invoicing.rating.rounding import half_up
from invoicing.rating.terms import ComponentTerms, LineKind, PlanTerms, RatedLine, Scheme
from invoicing.rating.wording import describe_steps, exact, plain
from invoicing.usage.values import NO_USAGE, Usage

__all__ = ["RatedLine", "rate_cycle"]

# As many decimals as the column of a unit price holds.
_UNIT_PRICE_STEP = Decimal("1e-12")


def rate_cycle(
    terms: PlanTerms, usage: Mapping[int, Usage], period_start: datetime, period_end: datetime
) -> list[RatedLine]:
    """The base price first, where there is one, then the add-ons that the customer has, then one line for each metered
    component in the plan's order (under a price list, one for each combination of labels that was used).

    ``usage`` is by component key; a component that is not in it was not used.
    """
    lines = [*base_lines(terms, period_start, period_end), *add_on_lines(terms, period_start, period_end)]
    for component in terms.components:
        used = usage.get(component.key, NO_USAGE)
        for labels, part in price_parts(component, used):
            terms_of_part = replace(component, scheme=scheme_for(component, labels)) if labels else component
            lines.append(_component_line(terms_of_part, part, labels, terms.currency, period_start, period_end))
    return lines


def base_lines(terms: PlanTerms, start: datetime, end: datetime) -> list[RatedLine]:
    """None where there is no base price, or where another of the several cycles that it is for bears it."""
    share = terms.proration if terms.base_share is None else terms.base_share
    if terms.base_price <= 0 or terms.base_share == 0:
        return []
    whole = share == 1
    line = RatedLine(
        kind=LineKind.BASE_PRICE,
        name=terms.base_price_name,
        description=_base_text(terms, share),
        quantity=Decimal(1) if whole else None,
        quantity_unit="",
        unit_price=Decimal(terms.base_price) if whole else None,
        amount=half_up(terms.base_price * share),
        start=start,
        end=end,
        metadata={} if whole else {"proration": str(share), "whole": terms.base_price},
    )
    return [line]


def _base_text(terms: PlanTerms, share: Fraction) -> str:
    cycles = "" if terms.base_price_frequency == 1 else f"for {terms.base_price_frequency} billing cycles"
    if share == 1:
        return cycles
    percent = half_up(share * 10_000) / Decimal(100)
    why = f"{cycles}, of which not all of the time" if cycles else "for a shorter billing cycle"
    return f"{plain(percent)}% of {format_money(terms.base_price, terms.currency)}, {why}"


def _component_line(
    component: ComponentTerms, used: Usage, labels: Labels, currency: str, start: datetime, end: datetime
) -> RatedLine:
    # Returns and corrections can bring usage below zero; the line then says zero, and keeps what was measured.
    quantity = max(used.quantity, Decimal(0))
    steps = schemes.steps(component.scheme, quantity, used.before)
    values = ", ".join(value for _, value in labels)
    return RatedLine(
        kind=LineKind.METERED_COMPONENT,
        name=f"{component.name} ({values})" if labels else component.name,
        description=describe_steps(component, quantity, steps, currency, used.before),
        quantity=quantity,
        quantity_unit=component.unit_name,
        unit_price=_unit_price(component, quantity),
        amount=half_up(sum(step.amount for step in steps)),
        start=start,
        end=end,
        metadata=_evidence(component, used, steps) | ({"labels": dict(labels)} if labels else {}),
        explanation=_explanation(used),
    )


def _explanation(used: Usage) -> dict[str, Any]:
    """The days as they came: there are many, and only the page of one line reads them."""
    days = used.days
    return {"first_day": days.origin.isoformat(), "days": days.text} if days.origin and days else {}


def _unit_price(component: ComponentTerms, quantity: Decimal) -> Decimal | None:
    """The one price of every unit, where there is one."""
    scheme = component.scheme
    if scheme.kind not in (Scheme.FLAT, Scheme.VOLUME) or not scheme.tiers:
        return None
    price = schemes.containing(scheme.tiers, quantity).price / scheme.batch_size
    return price.quantize(_UNIT_PRICE_STEP) if scheme.batch_size > 1 else price


def _evidence(component: ComponentTerms, used: Usage, steps: tuple[schemes.Step, ...]) -> dict[str, Any]:
    """What explains the line, in JSON types."""
    return {
        "metered_component_uuid": component.uuid,
        "meter_name": component.meter_name,
        "aggregation": component.aggregation,
        "measured": plain(used.quantity),
        "measurements": used.count,
        "first_measurement": used.first.isoformat() if used.first else None,
        "last_measurement": used.last.isoformat() if used.last else None,
        "scheme_type": str(component.scheme.kind),
        "batch_size": component.scheme.batch_size,
        **({} if component.watermark is None else {"watermark": plain(component.watermark)}),
        **({} if component.frequency == 1 else {"used_before": plain(used.before), "frequency": component.frequency}),
        "tiers": [
            {
                "quantity": plain(step.quantity),
                "price": plain(step.tier.price),
                "from": plain(step.floor),
                "cap": None if step.tier.cap is None else plain(step.tier.cap),
                "amount": exact(step.amount),
                "description": step.tier.description,
            }
            for step in steps
        ],
    }
