"""How much was measured in each hour or day, by label if wanted. Two queries, however long the time.

A window on what was sent, for charts: each bucket is aggregated on its own, so a level counts in the
bucket in which it was measured, and ``reset_total`` is not looked at. What is billed is answered by
``aggregation.usage_of``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Aggregate, Avg, Count, Max, Min, QuerySet, Sum
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import TruncDay, TruncHour

from customers.customer import Customer
from invoicing.catalog.models import Aggregation, Meter
from invoicing.usage.buckets import Bucket
from invoicing.usage.models import Measurement

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


def total_usage(question: Question) -> Decimal:
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
