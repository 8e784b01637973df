"""How meters and price plans are written on the wire: what is read in, and what is answered.

Types and lengths are checked here; what the values mean is the verbs' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, NotRequired, TypedDict, overload

from django.db.models import QuerySet
from rest_framework import serializers

from customers.api.base import StrictSerializer
from customers.api.paging import CursorQuery, names_field
from customers.api.serializers import TagAnswer, TagField
from invoicing.catalog.features import Features, of_plan
from invoicing.catalog.models import (
    AddOn,
    Aggregation,
    DataType,
    Meter,
    MeteredComponent,
    MeterType,
    Period,
    PricePlan,
    PriceScheme,
    PriceTier,
    ReportingMethod,
    SchemeType,
    TrialUnit,
)


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
    aggregation = _text(32, help_text="SUM, MAX, MIN, AVG, COUNT, LATEST or TIME_WEIGHTED_SUM.")
    primary_labels = _texts()
    expected_labels = _texts()
    event_label_filter = _anything()


class MeterQuery(CursorQuery):
    filters = {"names": "name__in", "meter_type": "meter_type"}

    names = names_field()
    meter_type = serializers.ChoiceField(choices=MeterType.choices, required=False)


class PricePlanQuery(CursorQuery):
    filters = {"names": "name__in", "tags": "tags__overlap"}

    names = names_field()
    tags = names_field()


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
    time_unit_name = _text(16, help_text="hour, day, week or month; for meters whose usage is weighted by time.")
    batch_size = _whole()
    frequency = _whole()
    price_list = _anything()
    post_minimum_charge_percentage_change = _number()


class LabelLimitInput(StrictSerializer):
    labels = serializers.DictField(
        child=serializers.CharField(max_length=256),
        allow_null=True,
        help_text="A value for each primary label it goes by; 'any' is any, 'each' is every value on its own.",
    )
    limit = serializers.DecimalField(max_digits=None, decimal_places=None)


class LimitsInput(StrictSerializer):
    """How much usage of a billing cycle is expected; told of at 50, 70, 90 and 100 %."""

    limit = serializers.DecimalField(
        max_digits=None,
        decimal_places=None,
        required=False,
        allow_null=True,
        help_text="Of all the usage of a billing cycle, to be warned of. Null: none.",
    )
    label_limits = LabelLimitInput(
        many=True, required=False, allow_null=True, help_text="The same for labels; in place of those there are."
    )


class MeteredComponentInput(LimitsInput):
    ignored = frozenset({"id", "external_uuid", "meter_display_name"})

    meter_name = _text(128)
    meter_id = _whole()
    display_name = _text(256, help_text="The Invoice Display Name.")
    price_scheme = PriceSchemeInput(required=False, allow_null=True)
    minimum_charge = _whole()
    minimum_charge_frequency = _whole()
    watermark = serializers.DecimalField(
        max_digits=None,
        decimal_places=None,
        required=False,
        allow_null=True,
        help_text="What of a level costs nothing; for meters whose usage is weighted by time.",
    )


class FeatureInput(StrictSerializer):
    name = serializers.CharField(max_length=128)
    display_name = _text(256)
    description = _text()


class LimitInput(StrictSerializer):
    feature = FeatureInput()
    limit = serializers.DecimalField(max_digits=None, decimal_places=None)


class AddOnInput(StrictSerializer):
    ignored = frozenset({"external_uuid"})

    feature = FeatureInput()
    price_scheme_type = _text(16, help_text="FLAT or TIERED, by the quantity.")
    prices = PriceInput(many=True, required=False, allow_null=True)
    price = _number()
    single_use = serializers.BooleanField(required=False, help_text="Billed once, not in every billing cycle.")
    quantity_enabled = serializers.BooleanField(required=False, help_text="Whether a customer can have several.")
    limit = _number()
    immediately_charge = serializers.BooleanField(required=False)
    price_frequency = _whole()
    charge_frequency = _whole()


class AddAddOnsInput(StrictSerializer):
    add_ons = AddOnInput(many=True)


class FeaturesInput(StrictSerializer):
    features = FeatureInput(many=True, required=False, allow_null=True)
    limits = LimitInput(many=True, required=False, allow_null=True)


class RemoveFeaturesInput(StrictSerializer):
    feature_names = serializers.ListField(child=serializers.CharField(max_length=128))


class AddComponentsInput(StrictSerializer):
    metered_components = MeteredComponentInput(many=True)


class PricePlanInPlaceInput(FeaturesInput):
    display_name = _text(256)
    description = _text()
    base_price_description = _text(256)
    metered_components = MeteredComponentInput(
        many=True, required=False, allow_null=True, help_text="Added to those there are, whose prices stay."
    )
    add_ons = AddOnInput(many=True, required=False, allow_null=True)


class TrialInput(StrictSerializer):
    time_length = _number()
    time_unit_name = _text(16, help_text="hour, day, week, month or year.")
    credit = _number()


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
    add_ons = AddOnInput(many=True, required=False, allow_null=True)
    features = FeatureInput(many=True, required=False, allow_null=True)
    limits = LimitInput(many=True, required=False, allow_null=True)
    trial = TrialInput(required=False, allow_null=True, help_text="At a subscription's start, without charges.")


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


class PriceTierAnswer(TypedDict):
    price: Annotated[float, "Minor units, may be fractional."]
    cap: NotRequired[Annotated[float, "Up to and with this quantity. Left out: without end."]]
    description: NotRequired[str]


class PriceSchemeAnswer(TypedDict):
    name: None
    display_name: None
    scheme_type: SchemeType
    prices: list[PriceTierAnswer]
    price_list: Annotated[list[Any], "Rows with a key for each label, and prices."]
    unit_name: str | None
    time_unit_name: str | None
    batch_size: int
    frequency: None
    post_minimum_charge_percentage_change: Annotated[float | None, "Percent, of what is above the minimum charge."]


class LabelLimitAnswer(TypedDict):
    labels: dict[str, str]
    limit: float


class MeteredComponentAnswer(TypedDict):
    external_uuid: str
    meter_name: str
    meter_display_name: str
    display_name: Annotated[str | None, "The Invoice Display Name."]
    price_scheme: PriceSchemeAnswer
    limit: Annotated[float | None, "Usage of a billing cycle to be warned of."]
    label_limits: list[LabelLimitAnswer]
    minimum_charge: Annotated[int | None, "Minor units."]
    minimum_charge_frequency: int | None
    watermark: float | None


class AddOnAnswer(TypedDict):
    external_uuid: str
    feature: FeatureAnswer
    price: Annotated[float, "Minor units; of several prices, the first."]
    prices: list[PriceTierAnswer]
    price_scheme_type: SchemeType
    single_use: bool
    quantity_enabled: bool
    immediately_charge: bool
    limit: float | None
    price_frequency: int
    charge_frequency: int


class FeatureAnswer(TypedDict):
    name: str
    display_name: str
    description: str | None


class LimitAnswer(TypedDict):
    feature: FeatureAnswer
    limit: float


class TrialAnswer(TypedDict):
    time_length: int
    time_unit_name: TrialUnit
    credit: None


class PricePlanAnswer(TypedDict):
    external_uuid: str
    name: str
    version: int
    display_name: str
    description: str | None
    period: Period
    currency: str
    base_price: Annotated[int, "Minor units a billing cycle."]
    base_price_frequency: int
    base_price_description: str | None
    minimum_charge: Annotated[int | None, "Minor units."]
    minimum_charge_frequency: int | None
    metered_components: list[MeteredComponentAnswer]
    tags: list[TagAnswer]
    features: list[FeatureAnswer]
    add_ons: list[AddOnAnswer]
    limits: list[LimitAnswer]
    trial: TrialAnswer | None
    created_at: datetime


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


def with_components(plans: QuerySet[PricePlan]) -> QuerySet[PricePlan]:
    """What ``plan_shape`` touches, loaded in a fixed number of queries."""
    return plans.prefetch_related(
        "add_ons",
        "metered_components__meter",
        "metered_components__price_scheme",
        "metered_components__price_scheme__tiers",
    )


def plan_shape(plan: PricePlan) -> PricePlanAnswer:
    return {
        "external_uuid": str(plan.external_uuid),
        "name": plan.name,
        "version": plan.version,
        "display_name": plan.label,
        "description": plan.description or None,
        "period": Period(plan.period),
        "currency": plan.currency,
        "base_price": plan.base_price,
        "base_price_frequency": plan.base_price_frequency,
        "base_price_description": plan.base_price_description or None,
        "minimum_charge": plan.minimum_charge,
        "minimum_charge_frequency": plan.minimum_charge_frequency,
        "metered_components": [component_shape(component) for component in plan.metered_components.all()],
        "tags": [{"tag": tag} for tag in plan.tags],
        "features": [feature_shape(feature) for feature in plan.features],
        "add_ons": [add_on_shape(add_on) for add_on in plan.add_ons.all()],
        "limits": limit_shapes(of_plan(plan)),
        "trial": _trial(plan),
        "created_at": plan.created_at,
    }


def add_on_shape(add_on: AddOn) -> AddOnAnswer:
    prices = _row_shape({"labels": {}, "prices": add_on.prices})["prices"]
    feature = {"name": add_on.name, "display_name": add_on.display_name, "description": add_on.description}
    return {
        "external_uuid": str(add_on.external_uuid),
        "feature": feature_shape(feature),
        "price": prices[0]["price"],
        "prices": prices,
        "price_scheme_type": SchemeType(add_on.scheme_type),
        "single_use": add_on.single_use,
        "quantity_enabled": add_on.quantity_enabled,
        "immediately_charge": False,
        "limit": number(add_on.limit),
        "price_frequency": 1,
        "charge_frequency": 1,
    }


def _trial(plan: PricePlan) -> TrialAnswer | None:
    if not plan.trial_length:
        return None
    return {"time_length": plan.trial_length, "time_unit_name": TrialUnit(plan.trial_unit), "credit": None}


def feature_shape(feature: Mapping[str, str]) -> FeatureAnswer:
    return {
        "name": feature["name"],
        "display_name": feature["display_name"] or feature["name"],
        "description": feature["description"] or None,
    }


def limit_shapes(found: Features) -> list[LimitAnswer]:
    known = {feature["name"]: feature for feature in found.features}
    return [
        {"feature": feature_shape(known[limit["feature"]]), "limit": number(Decimal(limit["limit"]))}
        for limit in found.limits
    ]


def component_shape(component: MeteredComponent) -> MeteredComponentAnswer:
    return {
        "external_uuid": str(component.external_uuid),
        "meter_name": component.meter.name,
        "meter_display_name": component.meter.label,
        "display_name": component.display_name or None,
        "price_scheme": _scheme_shape(component.price_scheme),
        "limit": number(component.limit),
        "label_limits": [
            {"labels": row["labels"], "limit": number(Decimal(row["limit"]))} for row in component.label_limits
        ],
        "minimum_charge": component.minimum_charge,
        "minimum_charge_frequency": component.minimum_charge_frequency,
        "watermark": number(component.watermark),
    }


def _scheme_shape(scheme: PriceScheme) -> PriceSchemeAnswer:
    return {
        "name": None,
        "display_name": None,
        "scheme_type": SchemeType(scheme.scheme_type),
        "prices": [_tier_shape(tier) for tier in scheme.tiers.all()],
        "price_list": [_row_shape(row) for row in scheme.price_list],
        "unit_name": scheme.unit_name or None,
        "time_unit_name": scheme.time_unit_name or None,
        "batch_size": scheme.batch_size,
        "frequency": None,
        "post_minimum_charge_percentage_change": number(scheme.post_minimum_charge_percentage_change),
    }


def _row_shape(row: dict[str, Any]) -> dict[str, Any]:
    """As it may be sent."""
    prices = [
        {"price": number(Decimal(kept["price"]))}
        | ({} if kept["cap"] is None else {"cap": number(Decimal(kept["cap"]))})
        | ({"description": kept["description"]} if kept["description"] else {})
        for kept in row["prices"]
    ]
    return {**row["labels"], "prices": prices}


def _tier_shape(tier: PriceTier) -> PriceTierAnswer:
    shape: PriceTierAnswer = {"price": number(tier.price)}
    if tier.cap is not None:
        shape["cap"] = number(tier.cap)
    if tier.description:
        shape["description"] = tier.description
    return shape


@overload
def number(value: Decimal) -> int | float: ...
@overload
def number(value: Decimal | None) -> int | float | None: ...
def number(value: Decimal | None) -> int | float | None:
    """As JSON writes it: clients expect a number, not a text."""
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)
