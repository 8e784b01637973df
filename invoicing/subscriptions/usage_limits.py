"""When usage comes near a limit: at 50, 70, 90 and 100 % of it, once for each billing cycle.

What is to be looked at stands in ``UsageLimitCheck``: folding notes whose usage changed, a change of limits notes all
subscribers, and hourly everybody is noted, since a level grows by time alone. Looking takes the rows away, asks for
all the usage with the same few statements, and raises the alerts and their events in the same transaction.

Usage is counted as on the invoice's line: all that was reported for the cycle, of a level what it came to until now.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from django.db import connection, transaction
from django.db.models import Q

from customers.actors import SCHEDULE
from customers.events.models import Event, EventKind, SubjectKind
from customers.events.record import Fact, build_event
from customers.vendor import Vendor
from invoicing.catalog.limits import ANY, EACH, Labels, limits_of
from invoicing.catalog.models import DataType, MeteredComponent
from invoicing.rating.terms import ComponentTerms
from invoicing.subscriptions.models import BillingCycle, CycleAction, UsageAlert
from invoicing.subscriptions.terms import component_window, load_terms
from invoicing.usage.aggregation import usage_of
from invoicing.usage.values import Usage, added_up

THRESHOLDS = (50, 70, 90, 100)
CHUNK = 500

_WITH_LIMITS = Q(limit__isnull=False) | ~Q(label_limits=[])

# Only one process looks at a time, so that nothing is raised twice.
_ALONE = "SELECT pg_try_advisory_xact_lock(hashtextextended('invoicing checks usage limits', 5))"

_TAKE = """
    WITH taken AS (
        DELETE FROM invoicing_usagelimitcheck WHERE id IN (
            SELECT waiting.id FROM invoicing_usagelimitcheck AS waiting
            JOIN invoicing_meter AS meter ON meter.id = waiting.meter_id
            WHERE %(vendor)s::bigint IS NULL OR meter.vendor_id = %(vendor)s
            ORDER BY waiting.id LIMIT %(limit)s FOR UPDATE OF waiting SKIP LOCKED
        )
        RETURNING meter_id, customer_id
    )
    SELECT DISTINCT meter_id, customer_id FROM taken
"""

_NOTE = """
    INSERT INTO invoicing_usagelimitcheck (meter_id, customer_id)
    SELECT DISTINCT component.meter_id, cycle.customer_id
    FROM invoicing_meteredcomponent AS component
    JOIN invoicing_meter AS meter ON meter.id = component.meter_id
    JOIN invoicing_subscription AS subscription ON subscription.price_plan_id = component.price_plan_id
    JOIN invoicing_billingcycle AS cycle ON cycle.subscription_id = subscription.id
    WHERE (component."limit" IS NOT NULL OR component.label_limits <> '[]') AND cycle.next_action <> ''
        AND (%(vendor)s::bigint IS NULL OR meter.vendor_id = %(vendor)s)
        AND (%(component)s::bigint IS NULL OR component.id = %(component)s)
        AND (%(data_type)s = '' OR meter.data_type = %(data_type)s)
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """Usage of a billing cycle against one limit. ``labels`` as they are told: for a limit of each value, the value."""

    cycle: BillingCycle
    component: MeteredComponent
    name: str
    unit: str
    labels: Labels
    limit: Decimal
    usage: Decimal

    @property
    def percent(self) -> Decimal:
        return 100 * self.usage / self.limit

    @property
    def reached(self) -> list[int]:
        return [threshold for threshold in THRESHOLDS if self.percent >= threshold]

    @property
    def is_exceeded(self) -> bool:
        return self.usage >= self.limit

    def key(self, threshold: int) -> tuple[int, int, str, Decimal, int]:
        return self.cycle.pk, self.component.pk, _text(self.labels), self.limit, threshold


def check_limits(*, real_now: datetime, vendor: Vendor | None = None, chunk: int = CHUNK) -> int:
    """Look at up to ``chunk`` of those that wait. Answers how many there were."""
    with transaction.atomic():
        taken = _take(chunk, vendor)
        if taken:
            _raise([one for one in _standings(taken, real_now) if one.reached], real_now)
    return len(taken)


def note_all() -> None:
    _note()


def note_levels(vendor: Vendor) -> None:
    """The vendor's clock was moved: levels have come to more."""
    _note(vendor=vendor.pk, data_type=DataType.CONTINUOUS)


def note_component(component: MeteredComponent) -> None:
    _note(component=component.pk)


def _note(*, vendor: int | None = None, component: int | None = None, data_type: str = "") -> None:
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, {"vendor": vendor, "component": component, "data_type": data_type})


def _take(chunk: int, vendor: Vendor | None) -> set[tuple[int, int]]:
    """Meter and customer."""
    with connection.cursor() as cursor:
        cursor.execute(_ALONE)
        if not cursor.fetchone()[0]:
            return set()
        cursor.execute(_TAKE, {"vendor": vendor.pk if vendor else None, "limit": chunk})
        return set(cursor.fetchall())


def _standings(pairs: Collection[tuple[int, int]], real_now: datetime) -> list[Standing]:
    meters, customers = {meter for meter, _ in pairs}, {customer for _, customer in pairs}
    rows = BillingCycle.objects.filter(customer__in=customers).exclude(next_action=CycleAction.NONE)
    cycles = list(rows.select_related("vendor", "customer", "subscription__price_plan"))
    found = standings(cycles, real_now=real_now, meters=meters)
    return [one for one in found if (one.component.meter_id, one.cycle.customer_id) in pairs]


def standings(
    cycles: Sequence[BillingCycle], *, real_now: datetime, meters: Collection[int] | None = None
) -> list[Standing]:
    """Every limit of the cycles' plans, whether usage is near it or not. ``cycles`` come with ``vendor``, ``customer``
    and ``subscription__price_plan``; as many queries for many of them as for one."""
    components = _components({cycle.subscription.price_plan_id for cycle in cycles}, meters)
    terms = {part.key: part for plan in load_terms(list(components)).values() for part in plan.components}
    windows = {}
    asked = [(cycle, one) for cycle in cycles for one in components.get(cycle.subscription.price_plan_id, ())]
    for cycle, component in asked:
        part = terms[component.pk]
        until = min(cycle.end, cycle.vendor.now(real_now)) if part.is_level else cycle.end
        if cycle.start < until:
            window = component_window((cycle.pk, component.pk), cycle, part, until)
            windows[window.key] = replace(window, by_stream=bool(component.label_limits))
    usage = usage_of(list(windows.values()))
    return [
        standing
        for cycle, component in asked
        if (cycle.pk, component.pk) in windows
        for standing in _of_component(cycle, component, terms[component.pk], usage[cycle.pk, component.pk])
    ]


def _components(plans: Collection[int], meters: Collection[int] | None) -> dict[int, list[MeteredComponent]]:
    rows = MeteredComponent.objects.filter(_WITH_LIMITS, price_plan__in=plans).select_related("meter")
    found: dict[int, list[MeteredComponent]] = {}
    for component in rows if meters is None else rows.filter(meter__in=meters):
        found.setdefault(component.price_plan_id, []).append(component)
    return found


def _of_component(
    cycle: BillingCycle, component: MeteredComponent, terms: ComponentTerms, usage: Usage
) -> Iterator[Standing]:
    for labels, limit in limits_of(component):
        parts = _parts(labels, component.meter.primary_labels, usage) if labels else {(): usage.quantity}
        for said, quantity in parts.items():
            yield Standing(cycle, component, terms.name, terms.unit_name, said, limit, quantity)


def _parts(wanted: Labels, keys: Sequence[str], usage: Usage) -> dict[Labels, Decimal]:
    """What a limit for labels counts; one of each value is one for every value there is."""
    groups: dict[Labels, list[Usage]] = {} if any(value == EACH for _, value in wanted) else {wanted: []}
    for values, one in usage.streams.items():
        named = dict(zip(keys, values, strict=False))
        if all(value in (ANY, EACH, named.get(name)) for name, value in wanted):
            groups.setdefault(_said(wanted, named), []).append(one)
    return {said: added_up(parts).quantity for said, parts in groups.items()}


def _said(wanted: Labels, named: Mapping[str, str]) -> Labels:
    return tuple((name, named.get(name, "") if value == EACH else value) for name, value in wanted)


def _raise(found: Sequence[Standing], real_now: datetime) -> None:
    """What was not raised before. Of a limit that was passed by far, every threshold is told, the lowest first; what
    two limits say in the same words is said once."""
    known = set(
        UsageAlert.objects.filter(cycle__in={one.cycle.pk for one in found}).values_list(
            "cycle_id", "component_id", "labels", "limit", "threshold"
        )
    )
    reached = {one.key(threshold): (one, threshold) for one in found for threshold in one.reached}
    fresh = [reached[key] for key in reached if key not in known]
    UsageAlert.objects.bulk_create(_alert(one, threshold, real_now) for one, threshold in fresh)
    Event.objects.bulk_create(_event(one, threshold, real_now) for one, threshold in fresh)


def _alert(standing: Standing, threshold: int, real_now: datetime) -> UsageAlert:
    cycle = standing.cycle
    return UsageAlert(
        vendor_id=cycle.vendor_id,
        cycle=cycle,
        component=standing.component,
        labels=_text(standing.labels),
        limit=standing.limit,
        threshold=threshold,
        usage=standing.usage,
        raised_at=cycle.vendor.now(real_now),
    )


def _event(standing: Standing, threshold: int, real_now: datetime) -> Event:
    cycle, is_whole = standing.cycle, threshold == 100
    payload = {
        "customer_name": cycle.customer.name,
        "meter_name": standing.component.meter.name,
        "labels": dict(standing.labels),
        "limit": _number(standing.limit),
        **({} if is_whole else {"threshold": threshold}),
        "cycle_start": cycle.start.isoformat(),
        "cycle_end": cycle.end.isoformat(),
    }
    kind = EventKind.USAGE_LIMIT_EXCEEDED if is_whole else EventKind.USAGE_LIMIT_THRESHOLD
    details = {"note": _note_of(standing)}
    fact = Fact(kind, SubjectKind.CUSTOMER, cycle.customer_id, cycle.customer_id, payload=payload, details=details)
    return build_event(cycle.vendor, fact, actor=SCHEDULE, now=cycle.vendor.now(real_now), real_now=real_now)


def _note_of(standing: Standing) -> str:
    of = ", ".join(f"{name} {value}" for name, value in standing.labels)
    used, limit = (f"{_number(value):,}" for value in (standing.usage, standing.limit))
    return f"{standing.name}{f' ({of})' if of else ''}: {used} of {limit} {standing.unit}".rstrip() + "."


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _text(labels: Labels) -> str:
    return json.dumps(dict(labels))
