"""A customer's subscriptions, and what the customer used."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import VendorView, done
from customers.api.paging import listed
from customers.api.schema import documented
from customers.customer import Customer
from customers.errors import Invalid, Missing
from invoicing.catalog.api.wire import number
from invoicing.catalog.features import of_subscription, read_override
from invoicing.catalog.models import Aggregation, Meter, PricePlan
from invoicing.catalog.trials import Trial, read_trial
from invoicing.catalog.verbs import find_plan
from invoicing.subscriptions import verbs
from invoicing.subscriptions.add_ons import AddOnOrder, held_at
from invoicing.subscriptions.api.serializers import (
    ActiveSubscriptionAnswer,
    AddOnItemInput,
    CustomerFeatureAnswer,
    DiscountInput,
    EndSubscriptionInput,
    ShortenDiscountInput,
    SubscriptionAnswer,
    SubscriptionInPlaceInput,
    SubscriptionInput,
    SubscriptionQuery,
    UpdateSubscriptionInput,
    UsageAnswer,
    UsageQuery,
    active_subscription_shape,
    add_on_orders,
    discount_drafts,
    overridden,
    subscription_shape,
    with_plans,
)
from invoicing.subscriptions.changes import change_add_ons, end_discount, give_discounts, use_coupon
from invoicing.subscriptions.coupons import find_coupon
from invoicing.subscriptions.models import Coupon
from invoicing.subscriptions.rules import current_bounds
from invoicing.usage.aggregation import Window, usage_of


class SubscriptionsView(VendorView):
    @documented("list_subscriptions", query=SubscriptionQuery, answer=list[SubscriptionAnswer])
    def get(self, request: Request, name: str) -> Response:
        """All that began or will, oldest first."""
        rows = with_plans(verbs.history(self.customer(name)))
        return listed(self, rows, subscription_shape, order=("effective_at", "pk"), query=SubscriptionQuery)

    @documented("create_subscription", body=SubscriptionInput, answer=SubscriptionAnswer)
    def post(self, request: Request, name: str) -> Response:
        customer, given = self.customer(name), self.read(SubscriptionInput)
        subscription = verbs.subscribe(
            customer,
            chosen_plan(self, given),
            effective_at=given.get("effective_at"),
            align_to_calendar=given.get("align_to_calendar"),
            discounts=discount_drafts(given.get("discounts")),
            coupon=chosen_coupon(self, given),
            trial=chosen_trial(given),
            features=read_override(given),
            add_ons=add_on_orders(given.get("add_ons")),
            actor=self.actor,
            now=self.now,
            real_now=self.real_now,
        )
        return done(subscription_shape(subscription))


class SubscriptionView(VendorView):
    """The running subscription: change its plan, or end it."""

    @documented("update_subscription", body=UpdateSubscriptionInput, answer=SubscriptionAnswer)
    def put(self, request: Request, name: str) -> Response:
        customer, given = self.customer(name), self.read(UpdateSubscriptionInput)
        subscription = verbs.change_plan(
            customer,
            chosen_plan(self, given),
            when=_when(given),
            effective_at=given.get("effective_at"),
            align_to_calendar=given.get("align_to_calendar"),
            discounts=discount_drafts(given.get("discounts")),
            coupon=chosen_coupon(self, given),
            trial=chosen_trial(given),
            features=read_override(given),
            add_ons=add_on_orders(given.get("add_ons")),
            actor=self.actor,
            now=self.now,
            real_now=self.real_now,
        )
        return done(subscription_shape(subscription))

    @documented("end_subscription", query=EndSubscriptionInput)
    def delete(self, request: Request, name: str) -> Response:
        """End the running subscription. What is given may stand in the address or in a JSON body."""
        customer = self.customer(name)
        given = self.read(EndSubscriptionInput) or self.read_query(EndSubscriptionInput)
        verbs.end_subscription(
            customer,
            at_cycle_end=bool(given.get("at_cycle_end")),
            expire_at=given.get("expire_at"),
            actor=self.actor,
            now=self.now,
            real_now=self.real_now,
        )
        return done()


class ActiveSubscriptionView(VendorView):
    @documented("get_active_subscription", answer=ActiveSubscriptionAnswer)
    def get(self, request: Request, name: str) -> Response:
        subscription = verbs.find_active(self.customer(name), self.now)
        return done(active_subscription_shape(subscription, self.vendor.zone, self.now))


class ScheduledSubscriptionsView(VendorView):
    @documented("list_scheduled_subscriptions", query=SubscriptionQuery, answer=list[SubscriptionAnswer])
    def get(self, request: Request, name: str) -> Response:
        """Those that are still to start, the next one first."""
        rows = with_plans(verbs.scheduled(self.customer(name), self.now))
        return listed(self, rows, subscription_shape, order=("effective_at", "pk"), query=SubscriptionQuery)


class DiscountsView(VendorView):
    """The discounts of the running subscription, or else of the next one."""

    @documented("add_discounts", body=DiscountInput(many=True))
    def post(self, request: Request, name: str) -> Response:
        """From the running cycle on; all of the list, or none."""
        customer, given = self.customer(name), self.read(DiscountInput, many=True)
        subscription = verbs.running_or_next(customer, self.now)
        give_discounts(subscription, discount_drafts(given), actor=self.actor, now=self.now, real_now=self.real_now)
        return done()

    @documented("shorten_discount", query=ShortenDiscountInput)
    def delete(self, request: Request, name: str) -> Response:
        """End a discount with the start of the running cycle, or so many cycles after it."""
        customer = self.customer(name)
        given = self.read(ShortenDiscountInput) if self.request.data else self.read_query(ShortenDiscountInput)
        uuid, duration = given["discount_uuid"], given["billing_cycle_duration"]
        end_discount(customer, uuid, duration=duration, actor=self.actor, now=self.now, real_now=self.real_now)
        return done()


class UsageWindowView(VendorView):
    """Usage from ``start_time`` to ``end_time``; left out, of the running cycle."""

    def window(self, customer: Customer, asked: dict[str, Any]) -> tuple[datetime, datetime]:
        start, end = asked.get("start_time"), asked.get("end_time")
        if start is None:
            cycle_start, cycle_end = self._running_cycle(customer)
            start, end = cycle_start, end or cycle_end
        return start, end or self.now

    def asked(self, customer: Customer, meter: Meter, start: datetime, end: datetime) -> Window:
        """Keyed by the meter. Of a level that is weighted by time on invoices, the latest is asked for here."""
        latest = Aggregation.LATEST if meter.aggregation == Aggregation.TIME_WEIGHTED_SUM else ""
        return Window(meter.pk, customer.pk, meter.pk, start, end, aggregation=latest)

    def _running_cycle(self, customer: Customer) -> tuple[datetime, datetime]:
        try:
            return current_bounds(verbs.find_active(customer, self.now), self.vendor.zone, self.now)
        except Missing as error:
            raise Invalid({"start_time": f"{error.message} Give a start_time."}) from None


class UsageView(UsageWindowView):
    @documented("get_usage", query=UsageQuery, answer=UsageAnswer)
    def get(self, request: Request, name: str) -> Response:
        customer, asked = self.customer(name), self.read_query(UsageQuery)
        meter = self.find_named(Meter.objects.of(self.vendor), "meter", asked["meter_name"])
        found = usage_of([self.asked(customer, meter, *self.window(customer, asked))])[meter.pk]
        return done({"usage": number(found.quantity)})


def chosen_plan(view: VendorView, given: dict[str, Any]) -> PricePlan:
    """By uuid, or by name (and tag). A plan that is not there is the caller's mistake, not a wrong address."""
    if uuid := given.get("price_plan_uuid"):
        plan = PricePlan.objects.of(view.vendor).filter(external_uuid=uuid).first()
        if plan is None:
            raise Invalid({"price_plan_uuid": f"There is no price plan {uuid}."})
        return plan
    tag = given.get("price_plan_tag") or ""
    try:
        return find_plan(view.vendor, given["price_plan_name"], tag)
    except Missing as error:
        raise Invalid({"price_plan_tag" if tag else "price_plan_name": error.message}) from None


def chosen_coupon(view: VendorView, given: dict[str, Any]) -> Coupon | None:
    """By name. One that is not there is the caller's mistake, not a wrong address."""
    if not (name := given.get("coupon_override_name")):
        return None
    try:
        return find_coupon(view.vendor, name=name)
    except Missing as error:
        raise Invalid({"coupon_override_name": error.message}) from None


def chosen_trial(given: dict[str, Any]) -> Trial | None:
    override = given.get("trial_override")
    return None if override is None else read_trial("trial_override", override)


def _when(given: dict[str, Any]) -> verbs.When:
    if given.get("at_cycle_end"):
        return verbs.When.CYCLE_END
    return verbs.When.CYCLE_START if given.get("at_cycle_start") else verbs.When.NOW


class SubscriptionAddOnsView(VendorView):
    """Add-ons of the running subscription, or else of the next one."""

    @documented("change_add_ons", body=AddOnItemInput(many=True))
    def post(self, request: Request, name: str) -> Response:
        """More of them, or fewer; all of the list, or none."""
        customer, given = self.customer(name), self.read(AddOnItemInput, many=True)
        subscription = verbs.running_or_next(customer, self.now)
        start, end = current_bounds(subscription, self.vendor.zone, self.now)
        orders = [
            AddOnOrder(one["feature_name"], Decimal(one.get("quantity", 1)), effective_at=_moment(one, start, end))
            for one in given
        ]
        change_add_ons(subscription, orders, actor=self.actor, now=self.now, real_now=self.real_now)
        return done()


def _moment(given: dict[str, Any], start: datetime, end: datetime) -> datetime | None:
    if given.get("at_cycle_end"):
        return end
    return start if given.get("at_cycle_start") else given.get("effective_at")


class CustomerFeatureView(VendorView):
    """Whether the customer's running subscription includes a feature, and how much of it."""

    @documented("get_customer_feature", answer=CustomerFeatureAnswer)
    def get(self, request: Request, name: str, feature: str) -> Response:
        subscription = verbs.find_active(self.customer(name), self.now)
        plan, held = subscription.price_plan, held_at(subscription, self.now)
        counts = {one.name: held[one.pk][0] for one in plan.add_ons.all() if one.pk in held}
        included = of_subscription(plan, overridden(subscription))
        found = next((one for one in included.features if one["name"] == feature), None)
        limit = next((one["limit"] for one in included.limits if one["feature"] == feature), None)
        answer: CustomerFeatureAnswer = {
            "feature_name": feature,
            "enabled": found is not None or feature in counts,
            "limit": None if limit is None else number(Decimal(limit)),
            "quantity": number(counts.get(feature)),
            "label_limits": [],
        }
        return done(answer)


class SubscriptionInPlaceView(VendorView):
    """Discounts and a coupon for the running subscription, which stays the same."""

    @documented(
        "update_subscription_in_place", body=SubscriptionInPlaceInput, answer=SubscriptionAnswer, refusals=(404, 409)
    )
    def put(self, request: Request, name: str) -> Response:
        """From the running cycle on, beside the discounts there are; all of it or nothing."""
        customer, given = self.customer(name), self.read(SubscriptionInPlaceInput)
        subscription = verbs.running_or_next(customer, self.now)
        by: Any = {"actor": self.actor, "now": self.now, "real_now": self.real_now}
        with transaction.atomic():
            give_discounts(subscription, discount_drafts(given.get("discounts")), at="discounts.", **by)
            change_add_ons(subscription, add_on_orders(given.get("add_ons")), at="add_ons.", **by)
            if coupon := chosen_coupon(self, given):
                use_coupon(subscription, coupon, **by)
        return done(subscription_shape(subscription))
