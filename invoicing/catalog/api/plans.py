"""Price plans on the wire: what is read in, and what is answered.

Types and lengths are checked here and beside it; what the values mean is the verbs' business.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypedDict

from django.db.models import QuerySet
from rest_framework import serializers

from customers.api.base import StrictSerializer
from customers.api.paging import CursorQuery, names_field
from customers.api.serializers import TagAnswer, TagField
from invoicing.catalog.api.add_ons import AddOnAnswer, AddOnInput, add_on_shape
from invoicing.catalog.api.features import (
    FeatureAnswer,
    FeatureInput,
    FeaturesInput,
    LimitAnswer,
    LimitInput,
    feature_shape,
    limit_shapes,
)
from invoicing.catalog.api.prices import MeteredComponentAnswer, MeteredComponentInput, component_shape
from invoicing.catalog.api.wire import decimal, text, whole
from invoicing.catalog.features import of_plan
from invoicing.catalog.models import Period, PricePlan, TrialUnit


class PricePlanQuery(CursorQuery):
    filters = {"names": "name__in", "tags": "tags__overlap"}

    names = names_field()
    tags = names_field()


class PricePlanInPlaceInput(FeaturesInput):
    display_name = text(256)
    description = text()
    base_price_description = text(256)
    metered_components = MeteredComponentInput(
        many=True, required=False, allow_null=True, help_text="Added to those there are, whose prices stay."
    )
    add_ons = AddOnInput(many=True, required=False, allow_null=True)


class TrialInput(StrictSerializer):
    time_length = decimal()
    time_unit_name = text(16, help_text="hour, day, week, month or year.")
    credit = serializers.DecimalField(
        max_digits=None,
        decimal_places=None,
        required=False,
        allow_null=True,
        help_text="Minor units, off the invoices of billing cycles that begin within the length, if there is one.",
    )


class PricePlanInput(StrictSerializer):
    ignored = frozenset({"vendor_id", "external_uuid", "version", "created_at"})

    name = text(128, help_text="Unique code name; all versions share it.")
    display_name = text(256)
    description = text()
    period = text(32, help_text="month, quarter, biannual (every six months) or year.")
    currency = text(3, help_text="ISO 4217. Left out: the vendor's currency.")
    base_price = whole()
    base_price_frequency = whole()
    base_price_description = text(256)
    metered_components = MeteredComponentInput(many=True, required=False, allow_null=True)
    tags = serializers.ListField(child=TagField(max_length=128), required=False, allow_null=True)
    minimum_charge = whole()
    minimum_charge_frequency = whole()
    add_ons = AddOnInput(many=True, required=False, allow_null=True)
    features = FeatureInput(many=True, required=False, allow_null=True)
    limits = LimitInput(many=True, required=False, allow_null=True)
    trial = TrialInput(required=False, allow_null=True, help_text="At a subscription's start, without charges.")


class TrialAnswer(TypedDict):
    time_length: int
    time_unit_name: TrialUnit
    credit: Annotated[int | None, "Minor units, taken off invoices until used up. Null: the time is free."]


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


def _trial(plan: PricePlan) -> TrialAnswer | None:
    if not plan.trial_length and not plan.trial_credit:
        return None
    unit = TrialUnit(plan.trial_unit or TrialUnit.DAY)
    return {"time_length": plan.trial_length, "time_unit_name": unit, "credit": plan.trial_credit or None}
