"""Metered components and their prices on the wire."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, NotRequired, TypedDict

from rest_framework import serializers

from customers.api.base import StrictSerializer
from invoicing.catalog.api.wire import anything, decimal, number, text, whole
from invoicing.catalog.models import MeteredComponent, PriceScheme, PriceTier, SchemeType


class PriceInput(StrictSerializer):
    price = decimal()
    cap = decimal()
    description = text(256)


class PriceSchemeInput(StrictSerializer):
    # Answers carry these besides.
    ignored = frozenset({"name", "display_name"})

    scheme_type = text(32, help_text="FLAT, TIERED, VOLUME or STAIRSTEP.")
    prices = PriceInput(many=True, required=False, allow_null=True)
    unit_name = text(64)
    time_unit_name = text(16, help_text="hour, day, week or month; for meters whose usage is weighted by time.")
    batch_size = whole()
    frequency = serializers.IntegerField(
        required=False, allow_null=True, help_text="Months whose usage climbs the tiers together: 12 is a year."
    )
    price_list = anything()
    post_minimum_charge_percentage_change = decimal()


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

    meter_name = text(128)
    meter_id = whole()
    display_name = text(256, help_text="The Invoice Display Name.")
    price_scheme = PriceSchemeInput(required=False, allow_null=True)
    minimum_charge = whole()
    minimum_charge_frequency = whole()
    watermark = serializers.DecimalField(
        max_digits=None,
        decimal_places=None,
        required=False,
        allow_null=True,
        help_text="What of a level costs nothing; for meters whose usage is weighted by time.",
    )


class AddComponentsInput(StrictSerializer):
    metered_components = MeteredComponentInput(many=True)


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
    frequency: Annotated[
        int | None, "Months whose usage climbs the tiers together. Null: each billing cycle by itself."
    ]
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
        "price_list": [row_shape(row) for row in scheme.price_list],
        "unit_name": scheme.unit_name or None,
        "time_unit_name": scheme.time_unit_name or None,
        "batch_size": scheme.batch_size,
        "frequency": scheme.frequency or None,
        "post_minimum_charge_percentage_change": number(scheme.post_minimum_charge_percentage_change),
    }


def row_shape(row: dict[str, Any]) -> dict[str, Any]:
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
