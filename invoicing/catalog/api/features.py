"""Features and limits of price plans on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TypedDict

from rest_framework import serializers

from customers.api.base import StrictSerializer
from invoicing.catalog.api.wire import number, text
from invoicing.catalog.features import Features


class FeatureInput(StrictSerializer):
    name = serializers.CharField(max_length=128)
    display_name = text(256)
    description = text()


class LimitInput(StrictSerializer):
    feature = FeatureInput()
    limit = serializers.DecimalField(max_digits=None, decimal_places=None)


class FeaturesInput(StrictSerializer):
    features = FeatureInput(many=True, required=False, allow_null=True)
    limits = LimitInput(many=True, required=False, allow_null=True)


class RemoveFeaturesInput(StrictSerializer):
    feature_names = serializers.ListField(child=serializers.CharField(max_length=128))


class FeatureAnswer(TypedDict):
    name: str
    display_name: str
    description: str | None


class LimitAnswer(TypedDict):
    feature: FeatureAnswer
    limit: float


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
