"""How measurements are answered. (They are read by ``invoicing/usage/readings.py``, in one pass.)"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from customers.api.base import StrictSerializer
from invoicing.catalog.api.serializers import number
from invoicing.usage.buckets import Bucket
from invoicing.usage.by_time import BucketUsage, Question
from invoicing.usage.models import Measurement
from invoicing.usage.readings import Reading

MOST_LIVE = 5000


class LiveQuery(StrictSerializer):
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
        choices=["SUM", "LATEST", "MAX"], required=False, help_text="Left out: the meter's own."
    )
    label_filters = LabelFilter(many=True, default=list, help_text="All of them have to match.")
    label_group_by_keys = serializers.ListField(child=serializers.CharField(max_length=128), default=list, max_length=8)


def reading_shape(reading: Reading) -> dict[str, Any]:
    """What was sent, with its time made explicit."""
    given = {
        "meter_name": reading.meter_name,
        "event_name": reading.event_name,
        "customer_name": reading.customer_name,
        "id": reading.given_id,
    }
    return {
        **{name: value for name, value in given.items() if value},
        "value": number(reading.value),
        "time": reading.time,
        "labels": reading.labels,
        "reset_total": reading.reset_total,
    }


def measurement_shape(row: Measurement) -> dict[str, Any]:
    return {
        "meter_name": row.meter.name,
        "customer_name": row.customer.name,
        "value": number(row.value),
        "time": row.time,
        "labels": row.labels,
        "reset_total": row.reset_total,
        "received_at": row.received_at,
    }


def usage_by_time_shape(question: Question, total: Decimal, found: Sequence[BucketUsage]) -> dict[str, Any]:
    return {
        "meter_name": question.meter.name,
        "meter_display_name": question.meter.label,
        "unit_name": question.meter.unit_name,
        "start_time": question.start,
        "end_time": question.end,
        "total_usage": number(total),
        "usage_by_time": [{"time": row.time, "usage": number(row.usage), "labels": row.labels} for row in found],
    }
