"""How subscriptions are written on the wire."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, TypedDict
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from rest_framework import serializers

from customers.api.base import StrictSerializer
from customers.api.paging import CursorQuery
from invoicing.catalog.api.add_ons import AddOnAnswer, add_on_shape
from invoicing.catalog.api.features import (
    FeatureAnswer,
    FeatureInput,
    LimitAnswer,
    LimitInput,
    feature_shape,
    limit_shapes,
)
from invoicing.catalog.api.plans import PricePlanAnswer, TrialInput, plan_shape
from invoicing.catalog.api.prices import MeteredComponentAnswer, component_shape
from invoicing.catalog.api.wire import number
from invoicing.catalog.checks import refuse_unsupported
from invoicing.catalog.features import Features
from invoicing.rating.discounts import DiscountScope, DiscountType, discounted_add_ons, discounted_base_price
from invoicing.subscriptions.add_ons import AddOnOrder, add_on_prices, held_at
from invoicing.subscriptions.discounts import DiscountDraft, discounts_at
from invoicing.subscriptions.models import Discount, Subscription
from invoicing.subscriptions.rules import current_bounds, cycle_rule

# Known to the API, and refused as long as they would have no effect.
_NOT_YET = (
    "discount_override",
    "credit_plan",
)


def _time(help_text: str = "") -> serializers.DateTimeField:
    return serializers.DateTimeField(required=False, allow_null=True, help_text=help_text)


def _flag(help_text: str = "") -> serializers.BooleanField:
    return serializers.BooleanField(required=False, allow_null=True, help_text=help_text)


class DiscountInput(StrictSerializer):
    """One discount of a list."""

    discount_type = serializers.ChoiceField(choices=[str(kind) for kind in DiscountType])
    amount = serializers.DecimalField(
        max_digits=30, decimal_places=4, help_text="Cents (minor units) for FLAT; 25 is 25 % for PERCENT."
    )
    scope = serializers.ChoiceField(choices=[str(scope) for scope in DiscountScope], default="INVOICE_TOTAL")
    metered_component_uuid = serializers.UUIDField(required=False, allow_null=True)
    billing_cycle_start_offset = serializers.IntegerField(default=0, help_text="0 is the running cycle.")
    billing_cycle_duration = serializers.IntegerField(required=False, allow_null=True, help_text="Left out: for good.")
    add_on_name = serializers.CharField(
        max_length=128, required=False, allow_null=True, help_text="With the scope ADD_ON: which of the plan's."
    )
    labels = serializers.DictField(
        child=serializers.CharField(max_length=10_000, allow_blank=True, trim_whitespace=False),
        required=False,
        allow_null=True,
        help_text="Of a component with a price list, only what was used with these: each label of the list.",
    )


def discount_drafts(given: Iterable[dict[str, Any]] | None) -> list[DiscountDraft]:
    return [
        DiscountDraft(
            type=DiscountType(one["discount_type"]),
            amount=one["amount"],
            scope=DiscountScope(one["scope"]),
            component_uuid=one.get("metered_component_uuid"),
            add_on_name=one.get("add_on_name") or "",
            start_offset=one["billing_cycle_start_offset"],
            duration=one.get("billing_cycle_duration"),
            labels=one.get("labels") or {},
        )
        for one in given or ()
    ]


class ShortenDiscountInput(StrictSerializer):
    discount_uuid = serializers.UUIDField()
    billing_cycle_duration = serializers.IntegerField(
        default=0, min_value=0, max_value=12_000, help_text="Cycles it still has, from the start of the running one."
    )


class SubscriptionAddOnInput(StrictSerializer):
    name = serializers.CharField(max_length=128, help_text="Of the add-on's feature.")
    quantity = serializers.DecimalField(max_digits=30, decimal_places=12, required=False, help_text="1 if left out.")
    price = serializers.DecimalField(
        max_digits=30, decimal_places=12, required=False, allow_null=True, help_text="In place of the plan's; cents."
    )


class AddOnItemInput(StrictSerializer):
    """One change of a list."""

    feature_name = serializers.CharField(max_length=128)
    quantity = serializers.DecimalField(
        max_digits=30, decimal_places=12, required=False, help_text="How many more, or below zero fewer; 1 if left out."
    )
    effective_at = _time("Left out, with the two others: now.")
    at_cycle_start = _flag("Back to the start of the running cycle.")
    at_cycle_end = _flag("At the end of the running cycle.")

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        moments = [name for name in ("effective_at", "at_cycle_start", "at_cycle_end") if given.get(name)]
        if len(moments) > 1:
            raise serializers.ValidationError({moments[1]: f"Give only one of {', '.join(moments)}."})
        return given


def add_on_orders(given: Iterable[dict[str, Any]] | None) -> list[AddOnOrder]:
    return [AddOnOrder(one["name"], Decimal(one.get("quantity", 1)), one.get("price")) for one in given or ()]


class SubscriptionInput(StrictSerializer):
    ignored = frozenset({"customer_id", "vendor_id"})

    price_plan_uuid = serializers.UUIDField(required=False, allow_null=True)
    price_plan_name = serializers.CharField(required=False, allow_null=True)
    price_plan_tag = serializers.CharField(required=False, allow_null=True, allow_blank=True)
    effective_at = _time("Left out: now. Without an offset: UTC.")
    align_to_calendar = _flag("Left out: as the billing settings say.")
    add_ons = SubscriptionAddOnInput(many=True, required=False, allow_null=True)
    discounts = DiscountInput(many=True, required=False, allow_null=True)
    discount_override = serializers.JSONField(required=False, allow_null=True)
    coupon_override_name = serializers.CharField(required=False, allow_null=True, allow_blank=True)
    trial_override = TrialInput(
        required=False, allow_null=True, help_text="In place of the plan's; a time_length of 0 is no trial."
    )
    features_override = FeatureInput(
        many=True, required=False, allow_null=True, help_text="Features beside the plan's."
    )
    limits_override = LimitInput(
        many=True, required=False, allow_null=True, help_text="Of features, in place of the plan's."
    )
    credit_plan = serializers.JSONField(required=False, allow_null=True)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        refuse_unsupported(given, dict.fromkeys(_NOT_YET, ""))
        if bool(given.get("price_plan_uuid")) == bool(given.get("price_plan_name")):
            raise serializers.ValidationError({"price_plan_name": "Give either price_plan_name or price_plan_uuid."})
        return given


class UpdateSubscriptionInput(SubscriptionInput):
    at_cycle_start = _flag("Back to the start of the running cycle.")
    at_cycle_end = _flag("At the end of the running cycle.")

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        given = super().validate(given)
        moments = [name for name in ("effective_at", "at_cycle_start", "at_cycle_end") if given.get(name)]
        if len(moments) > 1:
            raise serializers.ValidationError({moments[1]: f"Give only one of {', '.join(moments)}."})
        return given


class SubscriptionInPlaceInput(StrictSerializer):
    discounts = DiscountInput(many=True, required=False, allow_null=True)
    coupon_override_name = serializers.CharField(required=False, allow_null=True, allow_blank=True)
    discount_override = serializers.JSONField(required=False, allow_null=True)
    add_ons = SubscriptionAddOnInput(many=True, required=False, allow_null=True, help_text="Besides those there are.")

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        refuse_unsupported(given, {"discount_override": "Give 'discounts'."})
        return given


class EndSubscriptionInput(StrictSerializer):
    ignored = frozenset({"customer_id", "vendor_id"})

    at_cycle_end = _flag("At the end of the running cycle.")
    expire_at = _time("At this moment. Left out both: now.")


class SubscriptionQuery(CursorQuery):
    filters = {"price_plan_name": "price_plan__name"}

    price_plan_name = serializers.CharField(required=False)


def usage_times() -> tuple[serializers.DateTimeField, serializers.DateTimeField]:
    return (
        _time("Left out: the start of the running billing cycle."),
        _time("Left out: now; with start_time left out too, the end of the running billing cycle."),
    )


class UsageQuery(StrictSerializer):
    meter_name = serializers.CharField()
    start_time, end_time = usage_times()


class DiscountAnswer(TypedDict):
    external_uuid: str
    discount_type: str
    amount: Annotated[float, "Minor units, or percent."]
    scope: str
    metered_component: MeteredComponentAnswer | None
    add_on: AddOnAnswer | None
    coupon_id: int | None
    coupon_name: str | None
    labels: dict[str, str]
    billing_cycle_start_offset: Annotated[int, "From the first cycle of the subscription."]
    billing_cycle_duration: int | None
    start_date: datetime
    end_date: datetime | None


class SubscriptionAddOnAnswer(TypedDict):
    add_on: AddOnAnswer
    quantity: float
    price: Annotated[float | None, "Minor units, where it is not the plan's."]


class SubscriptionAnswer(TypedDict):
    uuid: str
    customer_name: str
    price_plan_name: str
    price_plan_uuid: str
    price_plan: PricePlanAnswer
    align_to_calendar: bool
    discounts: list[DiscountAnswer]
    add_ons: list[SubscriptionAddOnAnswer]
    trial_override: None
    trial_ends_at: Annotated[datetime | None, "Until then nothing is charged; billing cycles run from then on."]
    trial_credit: Annotated[int, "Minor units: taken off invoices until it is used up."]
    trial_credit_until: Annotated[datetime | None, "Billing cycles that begin from then on have none of it."]
    base_price_override: None
    features_override: list[FeatureAnswer]
    limits_override: list[LimitAnswer]
    effective_at: datetime
    expired_at: datetime | None
    credit_plan: None


class BillingCycleAnswer(TypedDict):
    cycle_start: datetime
    cycle_end: datetime


class ActiveSubscriptionAnswer(SubscriptionAnswer):
    current_billing_cycle: BillingCycleAnswer
    total_fixed_price: Annotated[int, "Minor units a billing cycle."]
    discounted_fixed_price: int


class CustomerFeatureAnswer(TypedDict):
    feature_name: str
    enabled: bool
    limit: float | None
    quantity: Annotated[float | None, "Of an add-on."]
    label_limits: list[Any]


class UsageAnswer(TypedDict):
    usage: float


def with_plans(rows: QuerySet[Subscription]) -> QuerySet[Subscription]:
    """What ``subscription_shape`` touches, loaded in a fixed number of queries."""
    return rows.select_related("vendor", "price_plan", "customer").prefetch_related(
        "discounts__metered_component",
        "add_on_changes",
        "price_plan__add_ons",
        "discounts__coupon_use__coupon",
        "price_plan__metered_components__meter",
        "price_plan__metered_components__price_scheme",
        "price_plan__metered_components__price_scheme__tiers",
    )


def subscription_shape(subscription: Subscription) -> SubscriptionAnswer:
    plan = subscription.price_plan
    return {
        "uuid": str(subscription.uuid),
        "customer_name": subscription.customer.name,
        "price_plan_name": plan.name,
        "price_plan_uuid": str(plan.external_uuid),
        "price_plan": plan_shape(plan),
        "align_to_calendar": subscription.align_to_calendar,
        "discounts": [discount_shape(discount, subscription) for discount in subscription.discounts.all()],
        "add_ons": _add_ons(subscription),
        "trial_override": None,
        "trial_ends_at": subscription.trial_ends_at,
        "trial_credit": subscription.trial_credit,
        "trial_credit_until": subscription.trial_credit_until,
        "base_price_override": None,
        "features_override": [feature_shape(feature) for feature in subscription.features_override],
        "limits_override": limit_shapes(overridden(subscription)),
        "effective_at": subscription.effective_at,
        "expired_at": subscription.expired_at,
        "credit_plan": None,
    }


def overridden(subscription: Subscription) -> Features:
    return Features(tuple(subscription.features_override), tuple(subscription.limits_override))


def _add_ons(subscription: Subscription) -> list[SubscriptionAddOnAnswer]:
    """With all that was ordered for later, too."""
    known = {add_on.pk: add_on for add_on in subscription.price_plan.add_ons.all()}
    held = held_at(subscription, datetime.max.replace(tzinfo=UTC))
    return [
        {"add_on": add_on_shape(known[pk]), "quantity": number(count), "price": number(price)}
        for pk, (count, price) in held.items()
    ]


def active_subscription_shape(subscription: Subscription, zone: ZoneInfo, now: datetime) -> ActiveSubscriptionAnswer:
    start, end = current_bounds(subscription, zone, now)
    base_price, add_ons = subscription.price_plan.base_price, add_on_prices(subscription, now)
    discounts = discounts_at(subscription, now)
    return {
        **subscription_shape(subscription),
        "current_billing_cycle": {"cycle_start": start, "cycle_end": end},
        "total_fixed_price": base_price + sum(add_ons.values()),
        "discounted_fixed_price": discounted_base_price(base_price, discounts) + discounted_add_ons(add_ons, discounts),
    }


def discount_shape(discount: Discount, subscription: Subscription) -> DiscountAnswer:
    rule = cycle_rule(subscription, subscription.vendor.zone)
    first, end = discount.first_cycle, discount.end_cycle
    # Of the subscription's own plan, whose components are loaded.
    components = {one.pk: one for one in subscription.price_plan.metered_components.all()}
    component = components.get(discount.metered_component_id or 0)
    add_ons = {one.pk: one for one in subscription.price_plan.add_ons.all()}
    add_on = add_ons.get(discount.add_on_id or 0)
    use = getattr(discount, "coupon_use", None)
    return {
        "external_uuid": str(discount.uuid),
        "discount_type": discount.discount_type,
        "amount": number(discount.amount),
        "scope": discount.scope,
        "metered_component": component_shape(component) if component else None,
        "add_on": add_on_shape(add_on) if add_on else None,
        "coupon_id": use.coupon_id if use else None,
        "coupon_name": use.coupon.name if use else None,
        "labels": discount.labels,
        "billing_cycle_start_offset": first,
        "billing_cycle_duration": None if end is None else end - first,
        "start_date": rule.bounds(first)[0],
        "end_date": None if end is None else rule.bounds(end)[0],
    }
