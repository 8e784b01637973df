"""How measurements are answered. (They are read by ``invoicing/usage/readings.py``, in one pass.)"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from customers.api.base import StrictSerializer
from invoicing.catalog.api.serializers import number
from invoicing.usage.models import Measurement
from invoicing.usage.readings import Reading

MOST_LIVE = 5000


class LiveQuery(StrictSerializer):
    customer_name = serializers.CharField(required=False, help_text="Only this customer's.")
    meter_name = serializers.CharField(required=False, help_text="Only this meter's.")
    limit = serializers.IntegerField(min_value=1, max_value=MOST_LIVE, default=MOST_LIVE)


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
