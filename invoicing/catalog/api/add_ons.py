"""Add-ons on the wire."""

from __future__ import annotations

from typing import Annotated, TypedDict

from rest_framework import serializers

from customers.api.base import StrictSerializer
from invoicing.catalog.api.features import FeatureAnswer, FeatureInput, feature_shape
from invoicing.catalog.api.prices import PriceInput, PriceTierAnswer, row_shape
from invoicing.catalog.api.wire import decimal, number, text, whole
from invoicing.catalog.models import AddOn, SchemeType


class AddOnInput(StrictSerializer):
    ignored = frozenset({"external_uuid"})

    feature = FeatureInput()
    price_scheme_type = text(16, help_text="FLAT or TIERED, by the quantity.")
    prices = PriceInput(many=True, required=False, allow_null=True)
    price = decimal()
    single_use = serializers.BooleanField(required=False, help_text="Billed once, not in every billing cycle.")
    quantity_enabled = serializers.BooleanField(required=False, help_text="Whether a customer can have several.")
    limit = decimal()
    immediately_charge = serializers.BooleanField(
        required=False, help_text="What is added is billed at once, by an invoice of its own."
    )
    price_frequency = whole("For how many billing cycles the price is; 1 if left out.")
    charge_frequency = whole("1: each of these cycles bears its part. As price_frequency: one of them bears all of it.")


class AddAddOnsInput(StrictSerializer):
    add_ons = AddOnInput(many=True)


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


def add_on_shape(add_on: AddOn) -> AddOnAnswer:
    prices = row_shape({"labels": {}, "prices": add_on.prices})["prices"]
    feature = {"name": add_on.name, "display_name": add_on.display_name, "description": add_on.description}
    return {
        "external_uuid": str(add_on.external_uuid),
        "feature": feature_shape(feature),
        "price": prices[0]["price"],
        "prices": prices,
        "price_scheme_type": SchemeType(add_on.scheme_type),
        "single_use": add_on.single_use,
        "quantity_enabled": add_on.quantity_enabled,
        "immediately_charge": add_on.immediately_charge,
        "limit": number(add_on.limit),
        "price_frequency": add_on.price_frequency,
        "charge_frequency": add_on.charge_frequency,
    }
