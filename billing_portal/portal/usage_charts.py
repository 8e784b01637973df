"""What a customer used of one meter, day by day, as a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from billing_portal.portal import words
from billing_portal.portal.charts import Bars, Mark, Series, Value, compact
from customers.customer import Customer
from invoicing.catalog.models import Aggregation, Meter, MeteredComponent
from invoicing.subscriptions.models import BillingCycle, Subscription
from invoicing.usage.buckets import Bucket, edges, floor
from invoicing.usage.by_time import Question, usage_by_time

MOST_DAYS = 92
SPANS = (("cycle", "Running cycle"), ("month", "30 days"), ("quarter", "90 days"))
_DAYS = {"month": 30, "quarter": 90}


@dataclass(frozen=True)
class UsageChart:
    """``meters`` are those that can be chosen. ``bars`` is None where nothing was measured."""

    meters: Sequence[Meter]
    meter: Meter
    span: str
    bars: Bars | None


def usage_chart(
    customer: Customer,
    subscription: Subscription | None,
    cycle: BillingCycle | None,
    asked: Mapping[str, str],
    now: datetime,
) -> UsageChart | None:
    """Of the meter and the span that are ``asked`` for, else of the plan's first and the running cycle. As many queries
    whatever the plan has; None where the plan meters nothing."""
    parts = _parts(subscription)
    if not parts:
        return None
    part = next((one for one in parts if one.meter.name == asked.get("meter")), parts[0])
    span = asked.get("span", "") if asked.get("span") in dict(SPANS) else "cycle" if cycle else "month"
    start = cycle.start if span == "cycle" and cycle else now - timedelta(days=_DAYS.get(span, 30))
    start = max(start, now - timedelta(days=MOST_DAYS))
    meters = list({one.meter.pk: one.meter for one in parts}.values())
    bars = _bars(customer, part, start, now, with_limit=span == "cycle") if start < now else None
    return UsageChart(meters, part.meter, span, bars)


def _parts(subscription: Subscription | None) -> Sequence[MeteredComponent]:
    if subscription is None:
        return []
    return list(subscription.price_plan.metered_components.select_related("meter").order_by("position"))


def _bars(
    customer: Customer, part: MeteredComponent, start: datetime, now: datetime, *, with_limit: bool
) -> Bars | None:
    meter, zone = part.meter, customer.vendor.zone
    question = Question(customer, meter, start, now, Aggregation(meter.aggregation), {})
    used = {one.time: one.usage for one in usage_by_time(question, Bucket.DAY)}
    if not used:
        return None
    days = [floor(edge, Bucket.DAY, zone) for edge in edges(start, now, Bucket.DAY, zone)[:-1]]
    unit = _unit(meter)

    def written(value: Value) -> str:
        return f"{compact_exactly(Decimal(value))} {unit}".strip()

    first, last = words.day(start), words.day(now)
    return Bars(
        title=f"{meter.label} of {customer} by day, {first} to {last}",
        of="Day",
        labels=[words.day_of_month(day) for day in days],
        series=[Series(meter.label, [used.get(day, Decimal(0)) for day in days])],
        written=written,
        short=compact,
        marks=[Mark("Limit of the cycle", part.limit)] if with_limit and part.limit is not None else (),
    )


def _unit(meter: Meter) -> str:
    """A level that is weighted by time comes in unit-hours here."""
    return (
        f"{meter.unit_name or 'unit'}-hours" if meter.aggregation == Aggregation.TIME_WEIGHTED_SUM else meter.unit_name
    )


def compact_exactly(number: Decimal) -> str:
    """At most four decimals, with separators."""
    return f"{round(number, 4).normalize():,f}"
