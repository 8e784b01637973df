"""How measurements are answered. (They are read by ``invoicing/usage/readings.py``, in one pass.)"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, TypedDict

from rest_framework import serializers

from customers.api.base import StrictSerializer
from customers.api.paging import CursorQuery
from invoicing.catalog.api.wire import number
from invoicing.usage.buckets import Bucket
from invoicing.usage.by_time import BucketUsage, Question
from invoicing.usage.intake import TakenIn
from invoicing.usage.models import Measurement
from invoicing.usage.readings import Reading

MOST_LIVE = 5000


class LiveQuery(CursorQuery):
    filters = {"customer_name": "customer__name", "meter_name": "meter__name"}

    customer_name = serializers.CharField(required=False, help_text="Only this customer's.")
    meter_name = serializers.CharField(required=False, help_text="Only this meter's.")
    limit = serializers.IntegerField(min_value=1, max_value=MOST_LIVE, default=MOST_LIVE)


class LabelFilter(StrictSerializer):
    key = serializers.CharField()
    value = serializers.CharField()


class UsageByTimeInput(StrictSerializer):
    meter_name = serializers.CharField()
    start_time = serializers.DateTimeField(help_text="Until now.")
    time_bucket = serializers.ChoiceField(choices=[str(bucket) for bucket in Bucket], default=str(Bucket.DAY))
    aggregate = serializers.ChoiceField(
        choices=["SUM", "TIME_WEIGHTED_SUM", "LATEST", "MAX"],
        required=False,
        help_text="Left out: the meter's own. What is weighted by time comes in unit-hours.",
    )
    label_filters = LabelFilter(many=True, default=list, help_text="All of them have to match.")
    label_group_by_keys = serializers.ListField(child=serializers.CharField(max_length=128), default=list, max_length=8)


# For the schema alone.
class MeasurementInput(StrictSerializer):
    value = serializers.FloatField(help_text="How much was used: a number below 10^18.")
    meter_name = serializers.CharField(required=False, allow_null=True, help_text="This, or event_name.")
    event_name = serializers.CharField(required=False, allow_null=True, help_text="This, or meter_name.")
    customer_name = serializers.CharField(
        required=False, allow_null=True, help_text="Left out: the customer whose measurement mappings match the labels."
    )
    time = serializers.DateTimeField(required=False, allow_null=True, help_text="Left out: now. Without offset: UTC.")
    labels = serializers.DictField(child=serializers.CharField(), required=False, allow_null=True)
    id = serializers.CharField(
        required=False,
        allow_null=True,
        max_length=255,
        help_text="Sent again, also with another time, it replaces what was sent before.",
    )
    reset_total = serializers.BooleanField(required=False, allow_null=True)


class _Reading(TypedDict):
    value: float
    time: datetime
    labels: dict[str, str]
    reset_total: bool


class MeasurementAnswer(_Reading, total=False):
    """What was sent, with its time made explicit. Names and id are there if they were sent."""

    meter_name: str
    event_name: str
    customer_name: str
    id: str


CSV = {"type": "string", "description": "Rows of cells; the first names the columns."}


class TakenInAnswer(TypedDict):
    measurements: Annotated[int, "How many rows were taken."]
    unattributed: Annotated[int, "How many of them match no customer or meter yet. They are kept until one appears."]


class LiveMeasurementAnswer(_Reading):
    meter_name: str
    customer_name: str
    received_at: datetime


class BucketUsageAnswer(TypedDict):
    time: datetime
    usage: float
    labels: dict[str, str]


class UsageByTimeAnswer(TypedDict):
    meter_name: str
    meter_display_name: str
    unit_name: str
    start_time: datetime
    end_time: datetime
    total_usage: float
    usage_by_time: list[BucketUsageAnswer]


def reading_shape(reading: Reading) -> MeasurementAnswer:
    shape: MeasurementAnswer = {
        "value": number(reading.value),
        "time": reading.time,
        "labels": dict(reading.labels),
        "reset_total": reading.reset_total,
    }
    if reading.meter_name:
        shape["meter_name"] = reading.meter_name
    if reading.event_name:
        shape["event_name"] = reading.event_name
    if reading.customer_name:
        shape["customer_name"] = reading.customer_name
    if reading.given_id:
        shape["id"] = reading.given_id
    return shape


def taken_in_shape(taken: TakenIn) -> TakenInAnswer:
    return {"measurements": taken.measurements, "unattributed": taken.unattributed}


def measurement_shape(row: Measurement) -> LiveMeasurementAnswer:
    return {
        "meter_name": row.meter.name,
        "customer_name": row.customer.name,
        "value": number(row.value),
        "time": row.time,
        "labels": row.labels,
        "reset_total": row.reset_total,
        "received_at": row.received_at,
    }


def usage_by_time_shape(question: Question, total: Decimal, found: Sequence[BucketUsage]) -> UsageByTimeAnswer:
    return {
        "meter_name": question.meter.name,
        "meter_display_name": question.meter.label,
        "unit_name": question.meter.unit_name,
        "start_time": question.start,
        "end_time": question.end,
        "total_usage": number(total),
        "usage_by_time": [{"time": row.time, "usage": number(row.usage), "labels": row.labels} for row in found],
    }
