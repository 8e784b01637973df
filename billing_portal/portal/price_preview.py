"""What a plan would charge: quantity in, amount out, tier by tier. The same rules that rate invoices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing_portal.portal.plan_draft import ComponentBoxes, PlanBoxes, plan_values, quantity_of
from billing_portal.portal.plan_lines import read_labels
from customers.errors import Invalid
from customers.money import MoneyError
from invoicing.catalog.models import Meter
from invoicing.catalog.prices import ComponentDraft, SchemeDraft, read_components
from invoicing.rating import schemes
from invoicing.rating.bill import bill_cycle
from invoicing.rating.price_lists import price_parts, scheme_for
from invoicing.rating.rounding import half_up
from invoicing.rating.terms import ComponentTerms, LineKind, PlanTerms, PriceRow, RatedLine, Scheme, SchemeTerms, Tier
from invoicing.usage.values import Usage


@dataclass(frozen=True)
class StepShown:
    quantity: Decimal
    price: Decimal
    unit: str
    amount: int


@dataclass(frozen=True)
class ComponentShown:
    name: str
    quantity: Decimal
    unit: str
    kind: str
    steps: Sequence[StepShown]
    amount: int


@dataclass(frozen=True)
class Preview:
    """``others`` are the lines of minimum charges. ``base_price`` is that of the cycle that bears it."""

    currency: str
    base_price: int
    components: Sequence[ComponentShown]
    others: Sequence[RatedLine]

    @property
    def total(self) -> int:
        amounts = [*(part.amount for part in self.components), *(line.amount for line in self.others)]
        return self.base_price + sum(amounts)


def preview(boxes: PlanBoxes, meters: Mapping[str, Meter]) -> Preview:
    """Raises ``Invalid`` where a box cannot be read yet."""
    values = plan_values(boxes)
    drafts = read_components(values["metered_components"], meters)
    used = [_used(boxes.components[place], draft, place) for place, draft in enumerate(drafts)]
    try:
        shown = [_component(draft, usage) for draft, usage in zip(drafts, used, strict=True)]
        others = _minimums(boxes.currency, values, drafts, used)
    except MoneyError as error:
        raise Invalid({"quantity": str(error)}) from None
    return Preview(boxes.currency, values["base_price"], shown, others)


def _used(boxes: ComponentBoxes, draft: ComponentDraft, place: int) -> Usage:
    """All of it with the labels that were typed, where they are those of the meter."""
    quantity = quantity_of(boxes, f"metered_components.{place}.quantity")
    labels = read_labels(boxes.labels)
    if not labels:
        return Usage(quantity)
    values = tuple(labels.get(key, "") for key in draft.meter.primary_labels)
    return Usage(quantity, streams={values: Usage(quantity)})


def _minimums(
    currency: str, values: Mapping[str, Any], drafts: Sequence[ComponentDraft], used: Sequence[Usage]
) -> list[RatedLine]:
    """The lines of a whole cycle besides the base price and the components' own."""
    terms = PlanTerms(
        currency=currency,
        base_price=values["base_price"],
        base_price_name="Base price",
        components=tuple(_terms(place, draft) for place, draft in enumerate(drafts)),
        minimum_charge=values.get("minimum_charge") or 0,
        label=values["display_name"] or values["name"] or "Plan",
    )
    lines = bill_cycle(terms, dict(enumerate(used)), _START, _END)
    return [line for line in lines if line.kind in _MINIMUMS or "above" in line.metadata]


_START, _END = datetime(2000, 1, 1, tzinfo=UTC), datetime(2000, 2, 1, tzinfo=UTC)
_MINIMUMS = (LineKind.MINIMUM_CHARGE, LineKind.METERED_COMPONENT_MINIMUM_CHARGE)


def _terms(place: int, draft: ComponentDraft) -> ComponentTerms:
    return ComponentTerms(
        key=place,
        uuid=str(place),
        meter_id=0,
        meter_name=draft.meter.name,
        name=draft.display_name or draft.meter.label,
        unit_name=_unit(draft),
        scheme=terms_of(draft.scheme),
        minimum_charge=draft.minimum_charge or 0,
        price_list=tuple(
            PriceRow(row.labels, tuple(Tier(tier.price, tier.cap) for tier in row.tiers)) for row in draft.scheme.rows
        ),
        label_keys=tuple(draft.meter.primary_labels),
        change_after_minimum=draft.scheme.change_after_minimum,
    )


def _component(draft: ComponentDraft, used: Usage) -> ComponentShown:
    component = _terms(0, draft)
    [(labels, part)] = price_parts(component, used)
    terms = scheme_for(component, labels)
    steps = [_step(terms, step, component.unit_name) for step in schemes.steps(terms, part.quantity)]
    amount = half_up(schemes.amount(terms, part.quantity))
    return ComponentShown(component.name, part.quantity, component.unit_name, terms.kind.value, steps, amount)


def _unit(draft: ComponentDraft) -> str:
    unit, time = draft.scheme.unit_name or draft.meter.unit_name, draft.scheme.time_unit
    return f"{unit or 'unit'}-{time}s" if time else unit


def terms_of(draft: SchemeDraft) -> SchemeTerms:
    tiers = tuple(Tier(tier.price, tier.cap) for tier in draft.tiers)
    return SchemeTerms(Scheme(draft.scheme_type), tiers, draft.batch_size)


def _step(terms: SchemeTerms, step: schemes.Step, unit: str) -> StepShown:
    return StepShown(step.quantity, step.tier.price, price_is(terms.kind, terms.batch_size, unit), half_up(step.amount))


def price_is(kind: Scheme | str, batch_size: int, unit: str) -> str:
    """What a price is for: each unit, each batch of units, or everything."""
    if kind == Scheme.STAIRSTEP:
        return "in all"
    return f"per {batch_size:,} {unit or 'units'}" if batch_size > 1 else "each"
