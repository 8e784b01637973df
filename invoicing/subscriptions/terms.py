"""Loads the terms that cycles are rated by, for any number of plans with the same few queries."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db.models import Exists, OuterRef

from invoicing.catalog.models import (
    AddOn,
    Aggregation,
    DataType,
    Meter,
    MeteredComponent,
    Period,
    PricePlan,
    PriceScheme,
    SchemeType,
    TimeUnit,
)
from invoicing.rating.rounding import twelve_decimals
from invoicing.rating.terms import AddOnTerms, ComponentTerms, PlanTerms, PriceRow, Scheme, SchemeTerms, Tier
from invoicing.subscriptions.add_ons import add_ons_of
from invoicing.subscriptions.cycles import CycleRule
from invoicing.subscriptions.models import BillingCycle
from invoicing.subscriptions.rules import cut, cycle_rule, ends_span
from invoicing.usage.values import HOUR, NO_USAGE, Usage, Window, added_up


def load_terms(plan_ids: Collection[int]) -> dict[int, PlanTerms]:
    """By id of the plan's version; three queries."""
    plans = PricePlan.objects.filter(pk__in=plan_ids)
    some = list(plans.annotate(has_add_ons=Exists(AddOn.objects.filter(price_plan=OuterRef("pk")))))
    months = {plan.pk: Period(plan.period).months for plan in some}
    components = MeteredComponent.objects.filter(price_plan__in=plan_ids).order_by("price_plan", "position")
    by_plan: dict[int, list[ComponentTerms]] = {pk: [] for pk in plan_ids}
    for component in components.select_related("meter", "price_scheme").prefetch_related("price_scheme__tiers"):
        by_plan[component.price_plan_id].append(_component(component, months[component.price_plan_id]))
    return {plan.pk: _plan(plan, by_plan[plan.pk], has_add_ons=plan.has_add_ons) for plan in some}


def _plan(plan: PricePlan, components: Iterable[ComponentTerms], *, has_add_ons: bool) -> PlanTerms:
    return PlanTerms(
        currency=plan.currency,
        base_price=plan.base_price,
        base_price_name=plan.base_price_label,
        components=tuple(components),
        minimum_charge=plan.minimum_charge or 0,
        label=plan.label,
        base_price_frequency=plan.base_price_frequency,
        has_add_ons=has_add_ons,
        minimum_frequency=plan.minimum_charge_frequency or 1,
    )


def _component(component: MeteredComponent, months: int) -> ComponentTerms:
    """``months`` is the period of its plan."""
    scheme, meter = component.price_scheme, component.meter
    tiers = tuple(Tier(tier.price, tier.cap, tier.description) for tier in scheme.tiers.all())
    return ComponentTerms(
        key=component.pk,
        change_after_minimum=scheme.post_minimum_charge_percentage_change,
        is_level=meter.data_type == DataType.CONTINUOUS and meter.aggregation != Aggregation.COUNT,
        uuid=str(component.external_uuid),
        meter_id=meter.pk,
        meter_name=meter.name,
        name=component.label,
        unit_name=_unit(scheme, meter),
        scheme=SchemeTerms(Scheme(scheme.scheme_type), tiers, scheme.batch_size),
        minimum_charge=component.minimum_charge or 0,
        aggregation=_aggregation(scheme, meter),
        time_unit=scheme.time_unit_name,
        watermark=component.watermark,
        price_list=tuple(_row(row) for row in scheme.price_list),
        label_keys=tuple(meter.primary_labels),
        frequency=max(scheme.frequency // months, 1),
        minimum_frequency=component.minimum_charge_frequency or 1,
    )


def _row(kept: Mapping[str, Any]) -> PriceRow:
    tiers = tuple(
        Tier(Decimal(tier["price"]), None if tier["cap"] is None else Decimal(tier["cap"]), tier["description"])
        for tier in kept["prices"]
    )
    return PriceRow(tuple(kept["labels"].items()), tiers)


def _unit(scheme: PriceScheme, meter: Meter) -> str:
    """GB-hours, where a price is for a unit and a time."""
    unit = scheme.unit_name or meter.unit_name
    return f"{unit or 'unit'}-{scheme.time_unit_name}s" if scheme.time_unit_name else unit


def _aggregation(scheme: PriceScheme, meter: Meter) -> str:
    """Of a level that is weighted by time otherwise, STAIRSTEP takes the latest value, unless cycles climb together."""
    by_time = meter.aggregation == Aggregation.TIME_WEIGHTED_SUM
    if scheme.scheme_type == SchemeType.STAIRSTEP and by_time and not scheme.time_unit_name:
        return Aggregation.LATEST
    return meter.aggregation


def terms_for(cycles: Collection[BillingCycle], *, in_advance: bool = False) -> dict[int, PlanTerms]:
    """The terms of each cycle by its id, with the share of the base price that it bears, and its add-ons
    (``in_advance``: as they are at its start).

    ``cycles`` come with ``vendor`` and ``subscription__price_plan`` loaded.
    """
    plans = load_terms({cycle.subscription.price_plan_id for cycle in cycles})
    having = [cycle for cycle in cycles if plans[cycle.subscription.price_plan_id].has_add_ons]
    add_ons = add_ons_of(having, in_advance=in_advance) if having else {}
    made: dict[Hashable, PlanTerms] = {}
    return {
        cycle.pk: _made_once(plans[cycle.subscription.price_plan_id], add_ons.get(cycle.pk, ()), cycle, made)
        for cycle in cycles
    }


def _made_once(
    plan: PlanTerms, add_ons: tuple[AddOnTerms, ...], cycle: BillingCycle, made: dict[Hashable, PlanTerms]
) -> PlanTerms:
    """Customers of one plan whose cycles are the same, as those aligned to the calendar are, have the same terms."""
    subscription, rule = cycle.subscription, cycle_rule(cycle.subscription, cycle.vendor.zone)
    span = (cycle.index, cycle.start, cycle.end, subscription.expired_at)
    key = (subscription.price_plan_id, rule, *span, add_ons)
    if key not in made:
        made[key] = _of_cycle(replace(plan, add_ons=add_ons), cycle, rule)
    return made[key]


def _of_cycle(plan: PlanTerms, cycle: BillingCycle, rule: CycleRule) -> PlanTerms:
    if rule.is_trial(cycle.index) or cycle.start >= cycle.end:
        return replace(plan, base_price=0, components=(), add_ons=(), minimum_charge=0)
    share = rule.proration(cycle.index, cycle.start, cycle.end)
    base_share = _share_of_several(plan.base_price_frequency, cycle, rule)
    return replace(
        plan,
        proration=share,
        base_share=share if base_share is None else base_share,
        minimum_share=_share_of_several(plan.minimum_frequency, cycle, rule),
        components=tuple(
            replace(part, minimum_share=_share_of_several(part.minimum_frequency, cycle, rule))
            for part in plan.components
        ),
    )


def _share_of_several(every: int, cycle: BillingCycle, rule: CycleRule) -> Fraction | None:
    """What is for several cycles is borne by the last of them, or by the one in which all ends. None: for each."""
    if every == 1:
        return None
    return rule.span_share(cycle.index, every, cycle.end) if ends_span(cycle, rule, every) else Fraction(0)


def opening_share(plan: PlanTerms, cycle: BillingCycle) -> Fraction:
    """The share of the base price that is billed in advance when the cycle begins."""
    rule, every = cycle_rule(cycle.subscription, cycle.vendor.zone), plan.base_price_frequency
    if every == 1:
        return rule.proration(cycle.index, cycle.start, cycle.end)
    first, last = rule.span(cycle.index, every)
    end = cut(rule.bounds(last)[1], cycle.subscription.expired_at)
    return rule.span_share(cycle.index, every, end) if cycle.index == first else Fraction(0)


def planned_share(cycle: BillingCycle) -> Fraction:
    """Which part of its planned time the cycle lasted: all of it, unless it was cut."""
    start, end = cycle_rule(cycle.subscription, cycle.vendor.zone).bounds(cycle.index)
    return min(Fraction((cycle.end - cycle.start) // _TICK, (end - start) // _TICK), Fraction(1))


_TICK = datetime.resolution


def usage_windows(cycle: BillingCycle, terms: PlanTerms, until: datetime | None = None) -> list[Window]:
    """What has to be asked of usage to rate the cycle; answers are keyed by (cycle id, component key).

    ``until`` leaves out what was used from then on.
    """
    end = cycle.end if until is None else min(cycle.end, until)
    zone = cycle.vendor.time_zone
    own = [component_window((cycle.pk, part.key), cycle, part, end, zone=zone) for part in terms.components]
    return [*own, *windows_before(cycle, terms)]


def windows_before(cycle: BillingCycle, terms: PlanTerms) -> list[Window]:
    """The earlier cycles whose usage climbs the same tiers; answers are keyed by (cycle id, component key, number)."""
    together = [part for part in terms.components if part.frequency > 1]
    rule = cycle_rule(cycle.subscription, cycle.vendor.zone) if together else None
    return [
        _window((cycle.pk, part.key, index), cycle, part, index, *rule.bounds(index))
        for part in together
        if rule is not None
        for index in range(rule.span(cycle.index, part.frequency)[0], cycle.index)
    ]


def used_in(cycle: BillingCycle, terms: PlanTerms, found: Mapping[Hashable, Usage]) -> dict[int, Usage]:
    """By component, from the answers to ``usage_windows``."""
    return {
        part.key: with_before(cycle, part, found.get((cycle.pk, part.key), NO_USAGE), found)
        for part in terms.components
    }


def with_before(cycle: BillingCycle, part: ComponentTerms, usage: Usage, found: Mapping[Hashable, Usage]) -> Usage:
    """The usage of a component with what came before it in the same tiers: what was billed, so nothing below zero."""
    if part.frequency == 1:
        return usage
    rule = cycle_rule(cycle.subscription, cycle.vendor.zone)
    numbers = range(rule.span(cycle.index, part.frequency)[0], cycle.index)
    earlier = [found[cycle.pk, part.key, index] for index in numbers]

    def before(parts: Iterable[Usage]) -> Decimal:
        return sum((max(one.quantity, Decimal(0)) for one in parts), Decimal(0))

    streams = {
        values: replace(stream, before=before(one.streams[values] for one in earlier if values in one.streams))
        for values, stream in usage.streams.items()
    }
    return replace(usage, before=before(earlier), streams=streams)


def level_windows(cycle: BillingCycle, terms: PlanTerms, at: datetime) -> list[Window]:
    """The levels at a moment; answers are keyed by (cycle id, component key, "level")."""
    return [
        Window(
            (cycle.pk, part.key, "level"),
            cycle.customer_id,
            part.meter_id,
            at,
            at + _TICK,
            aggregation=Aggregation.LATEST,
            by_stream=True,
        )
        for part in terms.components
    ]


def held(cycle: BillingCycle, component: ComponentTerms, level: Usage) -> Usage:
    """The usage that a level comes to if it holds from the cycle's start to its end."""
    weighted = component.aggregation == Aggregation.TIME_WEIGHTED_SUM
    seconds = Fraction((cycle.end - cycle.start) // _TICK, 1_000_000)
    factor = seconds / _unit_seconds(cycle, component.time_unit, cycle.index) if weighted else Fraction(1)
    above = component.watermark if weighted and component.watermark else Decimal(0)

    def amount(quantity: Decimal) -> Decimal:
        return twelve_decimals(Fraction(max(quantity - above, Decimal(0))) * factor)

    streams = {values: replace(one, quantity=amount(one.quantity)) for values, one in level.streams.items()}
    return replace(added_up(streams.values()), streams=streams) if streams else level


def component_window(
    key: Hashable, cycle: BillingCycle, component: ComponentTerms, until: datetime, *, zone: str = ""
) -> Window:
    """From the cycle's start; ``zone``: by day too. ``cycle`` comes as ``terms_for`` wants it."""
    return _window(key, cycle, component, cycle.index, cycle.start, until, zone)


def _window(
    key: Hashable,
    cycle: BillingCycle,
    component: ComponentTerms,
    index: int,
    start: datetime,
    end: datetime,
    zone: str = "",
) -> Window:
    return Window(
        key,
        cycle.customer_id,
        component.meter_id,
        start,
        end,
        zone,
        aggregation=component.aggregation,
        unit_seconds=_unit_seconds(cycle, component.time_unit, index),
        watermark=component.watermark,
        by_stream=bool(component.price_list),
    )


def _unit_seconds(cycle: BillingCycle, time_unit: str, index: int) -> Fraction:
    if time_unit == TimeUnit.MONTH:
        return cycle_rule(cycle.subscription, cycle.vendor.zone).month(index)
    return HOUR * {TimeUnit.DAY: 24, TimeUnit.WEEK: 24 * 7}.get(TimeUnit(time_unit or TimeUnit.HOUR), 1)
