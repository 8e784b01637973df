"""How meters and price plans are written on the wire: what is read in, and what is answered.

Types and lengths are checked here; what the values mean is the verbs' business.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from customers.api.base import StrictSerializer
from invoicing.catalog.models import Meter, MeteredComponent, PricePlan, PriceScheme, PriceTier


def _text(limit: int | None = None, *, help_text: str = "") -> serializers.CharField:
    return serializers.CharField(
        max_length=limit, required=False, allow_null=True, allow_blank=True, help_text=help_text
    )


def _texts(limit: int = 128) -> serializers.ListField:
    return serializers.ListField(child=serializers.CharField(max_length=limit), required=False, allow_null=True)


def _number() -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=None, decimal_places=None, required=False, allow_null=True)


def _whole() -> serializers.IntegerField:
    return serializers.IntegerField(required=False, allow_null=True)


def _anything() -> serializers.JSONField:
    return serializers.JSONField(required=False, allow_null=True)


class MeterInput(StrictSerializer):
    name = _text(128, help_text="Unique code name.")
    display_name = _text(256)
    description = _text()
    unit_name = _text(64)
    event_name = _text(128, help_text="Measurements sent under this name count here. Left out: the meter's name.")
    meter_type = _text(32, help_text="COUNTER or GAUGE.")
    is_incremental = serializers.BooleanField(required=False, allow_null=True)
    data_type = _text(32, help_text="DISCRETE or CONTINUOUS.")
    reporting_method = _text(32, help_text="DELTA or TOTAL.")
    aggregation = _text(32, help_text="SUM, MAX, MIN, AVG, COUNT or LATEST.")
    primary_labels = _texts()
    expected_labels = _texts()
    event_label_filter = _anything()


class PriceInput(StrictSerializer):
    price = _number()
    cap = _number()
    description = _text(256)


class PriceSchemeInput(StrictSerializer):
    # Answers carry these besides.
    ignored = frozenset({"name", "display_name"})

    scheme_type = _text(32, help_text="FLAT, TIERED, VOLUME or STAIRSTEP.")
    prices = PriceInput(many=True, required=False, allow_null=True)
    unit_name = _text(64)
    time_unit_name = _text(16)
    batch_size = _whole()
    frequency = _whole()
    price_list = _anything()
    post_minimum_charge_percentage_change = _number()


class MeteredComponentInput(StrictSerializer):
    ignored = frozenset({"id", "external_uuid", "meter_display_name"})

    meter_name = _text(128)
    meter_id = _whole()
    display_name = _text(256, help_text="The Invoice Display Name.")
    price_scheme = PriceSchemeInput(required=False, allow_null=True)
    limit = _number()
    label_limits = _anything()
    minimum_charge = _whole()
    minimum_charge_frequency = _whole()
    watermark = _number()


class TagField(serializers.CharField):
    """A text; or ``{"tag": text}``, which is how answers show it."""

    def to_internal_value(self, data: Any) -> str:
        text: str = super().to_internal_value(data["tag"] if isinstance(data, dict) and "tag" in data else data)
        return text


class PricePlanInput(StrictSerializer):
    ignored = frozenset({"vendor_id", "external_uuid", "version", "created_at"})

    name = _text(128, help_text="Unique code name; all versions share it.")
    display_name = _text(256)
    description = _text()
    period = _text(32, help_text="month, quarter or year.")
    currency = _text(3, help_text="ISO 4217. Left out: the vendor's currency.")
    base_price = _whole()
    base_price_frequency = _whole()
    base_price_description = _text(256)
    metered_components = MeteredComponentInput(many=True, required=False, allow_null=True)
    tags = serializers.ListField(child=TagField(max_length=128), required=False, allow_null=True)
    minimum_charge = _whole()
    minimum_charge_frequency = _whole()
    add_ons = _anything()
    features = _anything()
    limits = _anything()
    trial = _anything()


def meter_shape(meter: Meter) -> dict[str, Any]:
    return {
        "name": meter.name,
        "display_name": meter.label,
        "description": meter.description or None,
        "unit_name": meter.unit_name or None,
        "event_name": meter.event_name,
        "meter_type": meter.meter_type,
        "is_incremental": meter.is_incremental,
        "data_type": meter.data_type,
        "reporting_method": meter.reporting_method,
        "aggregation": meter.aggregation,
        "primary_labels": meter.primary_labels,
        "expected_labels": meter.expected_labels,
        "event_label_filter": meter.event_label_filter,
    }


def with_components(plans: QuerySet[PricePlan]) -> QuerySet[PricePlan]:
    """What ``plan_shape`` touches, loaded in a fixed number of queries."""
    return plans.prefetch_related(
        "metered_components__meter", "metered_components__price_scheme", "metered_components__price_scheme__tiers"
    )


def plan_shape(plan: PricePlan) -> dict[str, Any]:
    return {
        "external_uuid": str(plan.external_uuid),
        "name": plan.name,
        "version": plan.version,
        "display_name": plan.label,
        "description": plan.description or None,
        "period": plan.period,
        "currency": plan.currency,
        "base_price": plan.base_price,
        "base_price_frequency": plan.base_price_frequency,
        "base_price_description": plan.base_price_description or None,
        "minimum_charge": plan.minimum_charge,
        "minimum_charge_frequency": plan.minimum_charge_frequency,
        "metered_components": [_component_shape(component) for component in plan.metered_components.all()],
        "tags": [{"tag": tag} for tag in plan.tags],
        "features": [],
        "add_ons": [],
        "limits": [],
        "created_at": plan.created_at,
    }


def _component_shape(component: MeteredComponent) -> dict[str, Any]:
    return {
        "external_uuid": str(component.external_uuid),
        "meter_name": component.meter.name,
        "meter_display_name": component.meter.label,
        "display_name": component.display_name or None,
        "price_scheme": _scheme_shape(component.price_scheme),
        "limit": number(component.limit),
        "label_limits": [],
        "minimum_charge": component.minimum_charge,
        "minimum_charge_frequency": component.minimum_charge_frequency,
        "watermark": number(component.watermark),
    }


def _scheme_shape(scheme: PriceScheme) -> dict[str, Any]:
    return {
        "scheme_type": scheme.scheme_type,
        "prices": [_tier_shape(tier) for tier in scheme.tiers.all()],
        "unit_name": scheme.unit_name or None,
        "time_unit_name": scheme.time_unit_name or None,
        "batch_size": scheme.batch_size,
    }


def _tier_shape(tier: PriceTier) -> dict[str, Any]:
    shape: dict[str, Any] = {"price": number(tier.price)}
    if tier.cap is not None:
        shape["cap"] = number(tier.cap)
    if tier.description:
        shape["description"] = tier.description
    return shape


def number(value: Decimal | None) -> int | float | None:
    """As JSON writes it: clients expect a number, not a text."""
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)
