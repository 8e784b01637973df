"""What a plan would charge: quantity in, amount out, tier by tier. The same rules that rate invoices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing_portal.portal.plan_draft import PlanBoxes, plan_values, quantity_of
from customers.errors import Invalid
from customers.money import MoneyError
from invoicing.catalog.models import Meter
from invoicing.catalog.prices import ComponentDraft, SchemeDraft, read_components
from invoicing.rating import schemes
from invoicing.rating.rounding import half_up
from invoicing.rating.terms import Scheme, SchemeTerms, Tier


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
    currency: str
    base_price: int
    components: Sequence[ComponentShown]

    @property
    def total(self) -> int:
        return self.base_price + sum(component.amount for component in self.components)


def preview(boxes: PlanBoxes, meters: Mapping[str, Meter]) -> Preview:
    """Raises ``Invalid`` where a box cannot be read yet."""
    values = plan_values(boxes)
    drafts = read_components(values["metered_components"], meters)
    shown = [_component(draft, _quantity(boxes, place)) for place, draft in enumerate(drafts)]
    return Preview(boxes.currency, values["base_price"], shown)


def _quantity(boxes: PlanBoxes, place: int) -> Decimal:
    return quantity_of(boxes.components[place], f"metered_components.{place}.quantity")


def _component(draft: ComponentDraft, quantity: Decimal) -> ComponentShown:
    name, unit = draft.display_name or draft.meter.label, _unit(draft)
    terms = terms_of(draft.scheme)
    try:
        steps = [_step(terms, step, unit) for step in schemes.steps(terms, quantity)]
        amount = half_up(schemes.amount(terms, quantity))
    except MoneyError as error:
        raise Invalid({"quantity": str(error)}) from None
    return ComponentShown(name, quantity, unit, terms.kind.value, steps, amount)


def _unit(draft: ComponentDraft) -> str:
    unit, time = draft.meter.unit_name, draft.scheme.time_unit
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
