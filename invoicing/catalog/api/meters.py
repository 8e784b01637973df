"""Meters on the wire."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from rest_framework import serializers

from customers.api.base import StrictSerializer
from customers.api.paging import CursorQuery, names_field
from invoicing.catalog.api.wire import anything, text, texts
from invoicing.catalog.models import Aggregation, DataType, Meter, MeterType, ReportingMethod


class MeterInput(StrictSerializer):
    name = text(128, help_text="Unique code name.")
    display_name = text(256)
    description = text()
    unit_name = text(64)
    event_name = text(128, help_text="Measurements sent under this name count here. Left out: the meter's name.")
    meter_type = text(32, help_text="COUNTER or GAUGE.")
    is_incremental = serializers.BooleanField(required=False, allow_null=True)
    data_type = text(32, help_text="DISCRETE or CONTINUOUS.")
    reporting_method = text(32, help_text="DELTA or TOTAL.")
    aggregation = text(32, help_text="SUM, MAX, MIN, AVG, COUNT, LATEST or TIME_WEIGHTED_SUM.")
    primary_labels = texts()
    expected_labels = texts()
    event_label_filter = anything()


class MeterQuery(CursorQuery):
    filters = {"names": "name__in", "meter_type": "meter_type"}

    names = names_field()
    meter_type = serializers.ChoiceField(choices=MeterType.choices, required=False)


class MeterAnswer(TypedDict):
    name: str
    display_name: str
    description: str | None
    unit_name: str | None
    event_name: Annotated[str, "Measurements sent under this name count here."]
    meter_type: MeterType
    is_incremental: bool
    data_type: DataType
    reporting_method: ReportingMethod
    aggregation: Aggregation
    primary_labels: list[str]
    expected_labels: list[str]
    event_label_filter: Any


def meter_shape(meter: Meter) -> MeterAnswer:
    return {
        "name": meter.name,
        "display_name": meter.label,
        "description": meter.description or None,
        "unit_name": meter.unit_name or None,
        "event_name": meter.event_name,
        "meter_type": MeterType(meter.meter_type),
        "is_incremental": meter.is_incremental,
        "data_type": DataType(meter.data_type),
        "reporting_method": ReportingMethod(meter.reporting_method),
        "aggregation": Aggregation(meter.aggregation),
        "primary_labels": meter.primary_labels,
        "expected_labels": meter.expected_labels,
        "event_label_filter": meter.event_label_filter,
    }
