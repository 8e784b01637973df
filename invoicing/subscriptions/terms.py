"""Loads the terms that cycles are rated by, for any number of plans with the same few queries."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from fractions import Fraction

from invoicing.catalog.models import MeteredComponent, PricePlan
from invoicing.rating.terms import ComponentTerms, PlanTerms, Scheme, SchemeTerms, Tier
from invoicing.subscriptions.models import BillingCycle
from invoicing.subscriptions.rules import cycle_rule
from invoicing.usage.values import Window


def load_terms(plan_ids: Collection[int]) -> dict[int, PlanTerms]:
    """By id of the plan's version; three queries."""
    components = MeteredComponent.objects.filter(price_plan__in=plan_ids).order_by("price_plan", "position")
    by_plan: dict[int, list[ComponentTerms]] = {pk: [] for pk in plan_ids}
    for component in components.select_related("meter", "price_scheme").prefetch_related("price_scheme__tiers"):
        by_plan[component.price_plan_id].append(_component(component))
    return {plan.pk: _plan(plan, by_plan[plan.pk]) for plan in PricePlan.objects.filter(pk__in=plan_ids)}


def _plan(plan: PricePlan, components: Iterable[ComponentTerms]) -> PlanTerms:
    return PlanTerms(
        currency=plan.currency,
        base_price=plan.base_price,
        base_price_name=plan.base_price_label,
        components=tuple(components),
        minimum_charge=plan.minimum_charge or 0,
        label=plan.label,
    )


def _component(component: MeteredComponent) -> ComponentTerms:
    scheme, meter = component.price_scheme, component.meter
    tiers = tuple(Tier(tier.price, tier.cap, tier.description) for tier in scheme.tiers.all())
    return ComponentTerms(
        key=component.pk,
        uuid=str(component.external_uuid),
        meter_id=meter.pk,
        meter_name=meter.name,
        name=component.label,
        unit_name=scheme.unit_name or meter.unit_name,
        scheme=SchemeTerms(Scheme(scheme.scheme_type), tiers, scheme.batch_size),
        minimum_charge=component.minimum_charge or 0,
        aggregation=meter.aggregation,
    )


def terms_for(cycles: Collection[BillingCycle]) -> dict[int, PlanTerms]:
    """The terms of each cycle by its id, with the share of the base price that it bears.

    ``cycles`` come with ``vendor`` and ``subscription__price_plan`` loaded.
    """
    plans = load_terms({cycle.subscription.price_plan_id for cycle in cycles})
    return {cycle.pk: replace(plans[cycle.subscription.price_plan_id], proration=_proration(cycle)) for cycle in cycles}


def _proration(cycle: BillingCycle) -> Fraction:
    rule = cycle_rule(cycle.subscription, cycle.vendor.zone)
    return rule.proration(cycle.index, cycle.start, cycle.end)


def usage_windows(cycle: BillingCycle, terms: PlanTerms, until: datetime | None = None) -> list[Window]:
    """What has to be asked of usage to rate the cycle; answers are keyed by (cycle id, component key).

    ``until`` leaves out what was used from then on.
    """
    end = cycle.end if until is None else min(cycle.end, until)
    return [
        Window(
            (cycle.pk, component.key), cycle.customer_id, component.meter_id, cycle.start, end, cycle.vendor.time_zone
        )
        for component in terms.components
    ]
