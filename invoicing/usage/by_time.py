"""How much was measured in each hour or day, by label if wanted. Two queries, however long the time.

A window on what was sent, for charts: each bucket is aggregated on its own, so a level counts in the
bucket in which it was measured, and ``reset_total`` is not looked at. Only what is weighted by time holds from
bucket to bucket, and comes in unit-hours. What is billed is answered by ``aggregation.usage_of``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Aggregate, Avg, Count, Max, Min, QuerySet, Sum
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import TruncDay, TruncHour

from customers.customer import Customer
from customers.errors import Invalid
from invoicing.catalog.models import Aggregation, DataType, Meter
from invoicing.usage.aggregation import usage_of
from invoicing.usage.buckets import Bucket, edges, floor
from invoicing.usage.models import Measurement, UsageDay
from invoicing.usage.partitions import kept_from
from invoicing.usage.values import Usage, Window

_TRUNCATE = {Bucket.HOUR: TruncHour, Bucket.DAY: TruncDay}
_NONE_YET = Decimal(0)


@dataclass(frozen=True, slots=True)
class BucketUsage:
    time: datetime
    labels: dict[str, str]
    usage: Decimal


@dataclass(frozen=True, slots=True)
class Question:
    """One customer's measurements of one meter from ``start`` to ``end`` (exclusive)."""

    customer: Customer
    meter: Meter
    start: datetime
    end: datetime
    aggregation: Aggregation
    label_filters: Mapping[str, str]
    group_by: Sequence[str] = ()


def usage_by_time(question: Question, bucket: Bucket) -> list[BucketUsage]:
    """Oldest first. Buckets in which nothing was measured are left out."""
    if question.aggregation == Aggregation.TIME_WEIGHTED_SUM:
        return _weighted(question, bucket)
    rows = _matching(question)
    names = [f"label_{place}" for place in range(len(question.group_by))]
    groups = {name: KeyTextTransform(key, "labels") for name, key in zip(names, question.group_by, strict=True)}
    bucketed = rows.annotate(bucket=_TRUNCATE[bucket]("time", tzinfo=question.customer.vendor.zone), **groups)
    streams = bucketed.values("bucket", *names, "stream").annotate(usage=_aggregate(question.aggregation))
    found: dict[tuple[Any, ...], Decimal] = {}
    for row in streams.order_by("bucket", *names, "stream"):
        key = (row["bucket"], *[row[name] for name in names])
        found[key] = found.get(key, _NONE_YET) + _number(row["usage"])
    return [BucketUsage(time, _labels(question.group_by, values), usage) for (time, *values), usage in found.items()]


def _weighted(question: Question, bucket: Bucket) -> list[BucketUsage]:
    zone = question.customer.vendor.zone
    parts = list(pairwise(edges(question.start, question.end, bucket, zone)))
    usage = usage_of([_window(question, start, end) for start, end in parts])
    found: dict[tuple[datetime, tuple[str, ...]], Decimal] = {}
    for start, _ in parts:
        for labels, stream in _streams(question, usage[start]):
            key = (floor(start, bucket, zone), tuple(labels[name] for name in question.group_by))
            found[key] = found.get(key, _NONE_YET) + stream.quantity
    return [BucketUsage(time, _labels(question.group_by, values), used) for (time, values), used in found.items()]


def _window(question: Question, start: datetime, end: datetime) -> Window:
    weighted = Aggregation.TIME_WEIGHTED_SUM
    return Window(start, question.customer.pk, question.meter.pk, start, end, aggregation=weighted, by_stream=True)


def _streams(question: Question, usage: Usage) -> Iterator[tuple[Mapping[str, str], Usage]]:
    """Those that match the filters, in the order of their labels."""
    for values in sorted(usage.streams):
        labels = dict(zip(question.meter.primary_labels, values, strict=False))
        if all(labels.get(key) == value for key, value in question.label_filters.items()):
            yield labels, usage.streams[values]


def check(question: Question) -> None:
    """Raises ``Invalid`` where this meter's usage cannot be aggregated so, or was dropped since."""
    kept = kept_from()
    if kept and question.start < kept and _had_usage(question, kept):
        why = f"Measurements of before {kept:%Y-%m-%d} (UTC) were dropped after they were invoiced: start there."
        raise Invalid({"start_time": why})
    if question.aggregation != Aggregation.TIME_WEIGHTED_SUM:
        return
    if question.meter.data_type != DataType.CONTINUOUS:
        raise Invalid({"aggregate": f"{question.meter.name!r} measures no level that could be weighted by time."})
    for field, keys in (("label_filters", question.label_filters), ("label_group_by_keys", question.group_by)):
        for key in keys:
            if key not in question.meter.primary_labels:
                raise Invalid(
                    {field: f"What is weighted by time can be told apart by primary labels only, not {key!r}."}
                )


def _had_usage(question: Question, until: datetime) -> bool:
    rows = UsageDay.objects.filter(customer=question.customer, meter=question.meter)
    return rows.filter(first__lt=until, last__gte=question.start).exists()


def total_usage(question: Question) -> Decimal:
    if question.aggregation == Aggregation.TIME_WEIGHTED_SUM:
        usage = usage_of([_window(question, question.start, question.end)])[question.start]
        return sum((stream.quantity for _, stream in _streams(question, usage)), _NONE_YET)
    streams = _matching(question).values("stream").annotate(usage=_aggregate(question.aggregation)).order_by("stream")
    return sum((_number(row["usage"]) for row in streams), _NONE_YET)


def _matching(question: Question) -> QuerySet[Measurement]:
    rows = Measurement.objects.of(question.customer.vendor).filter(customer=question.customer, meter=question.meter)
    return rows.filter(time__gte=question.start, time__lt=question.end, labels__contains=dict(question.label_filters))


def _aggregate(aggregation: Aggregation) -> Aggregate:
    match aggregation:
        case Aggregation.MAX:
            return Max("value")
        case Aggregation.MIN:
            return Min("value")
        case Aggregation.AVG:
            return Avg("value")
        case Aggregation.COUNT:
            return Count("value")
        case Aggregation.LATEST:
            return ArrayAgg("value", order_by=("-time", "-id"))
    return Sum("value")


def _number(found: Any) -> Decimal:
    """The newest comes first in a list."""
    return round(Decimal(found[0] if isinstance(found, list) else found), 12)


def _labels(keys: Sequence[str], values: Sequence[str | None]) -> dict[str, str]:
    """A measurement without the label has no entry for it."""
    return {key: value for key, value in zip(keys, values, strict=True) if value is not None}
