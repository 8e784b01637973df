"""What a customer has been billed, and what the running cycle has come to."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypedDict

from django.db.models import Sum
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.actors import Access
from customers.api.base import StrictSerializer, VendorView, done
from customers.api.schema import documented
from customers.customer import Customer
from customers.errors import Missing
from customers.money import format_money
from invoicing.catalog.api.wire import number
from invoicing.invoices.accrual import AccruedBucket, AccruedItem, accrued
from invoicing.invoices.models import Invoice
from invoicing.invoices.preview import running_cycle
from invoicing.invoices.states import InvoiceStatus
from invoicing.subscriptions.models import BillingCycle
from invoicing.subscriptions.verbs import find_active
from invoicing.usage.buckets import Bucket, edges


class RevenueQuery(StrictSerializer):
    start_time = serializers.DateTimeField(required=False)
    end_time = serializers.DateTimeField(required=False)


class SpendInput(StrictSerializer):
    start_time = serializers.DateTimeField()
    time_bucket = serializers.ChoiceField(choices=[str(bucket) for bucket in Bucket], default=str(Bucket.DAY))


class RevenueAnswer(TypedDict):
    revenue: Annotated[int, "Minor units."]


class AccruedItemAnswer(TypedDict):
    item_type: str
    item_id: str
    item_identifier: str
    item_display_name: str
    usage: float
    usage_unit_name: str
    revenue: Annotated[int, "Minor units."]
    metadata: dict[str, str]


class AccruedAnswer(TypedDict):
    start_time: datetime
    end_time: datetime
    total_accrued_revenue: int
    line_items: list[AccruedItemAnswer]


class DailyAccruedAnswer(AccruedAnswer):
    date: datetime


class SpendAnswer(TypedDict):
    start_time: datetime
    end_time: datetime
    total_spend: int
    line_items: list[AccruedItemAnswer]


class AccruedLineAnswer(TypedDict):
    id: str
    name: str
    description: str
    quantity: float
    quantity_unit: str
    price: str
    price_int: int
    start_time: datetime
    end_time: datetime
    metadata: dict[str, str]


class RevenueBreakdownAnswer(TypedDict):
    total_revenue: int
    line_items: list[AccruedLineAnswer]


class RevenueView(VendorView):
    """The subtotals of the invoices whose billing period ended in the time asked for, to its very end.
    Void and uncollectible ones are no revenue."""

    @documented("get_revenue", query=RevenueQuery, answer=RevenueAnswer)
    def get(self, request: Request, name: str) -> Response:
        customer, asked = self.customer(name), self.read_query(RevenueQuery)
        columns = {"start_time": "period_end__gt", "end_time": "period_end__lte"}
        window = {column: asked[field] for field, column in columns.items() if field in asked}
        rows = Invoice.objects.of(self.vendor).filter(customer=customer, **window)
        lost = (InvoiceStatus.VOIDED, InvoiceStatus.UNCOLLECTIBLE)
        return done({"revenue": rows.exclude(status__in=lost).aggregate(sum=Sum("sub_total"))["sum"] or 0})


class AccrualView(VendorView):
    def cycle(self, customer: Customer) -> BillingCycle:
        """The running one. ``Missing`` where there is none."""
        subscription = find_active(customer, self.now)
        cycle = running_cycle(subscription, self.now)
        if cycle is None:
            raise Missing(f"No billing cycle of {customer.name} is running.")
        return cycle

    def whole(self, customer: Customer) -> AccruedBucket:
        return accrued(customer, [self.cycle(customer).start, self.now])[0]


class AccruedRevenueView(AccrualView):
    """Deprecated in favour of total_accrued_revenue."""

    @documented("get_accrued_revenue", answer=RevenueBreakdownAnswer)
    def get(self, request: Request, name: str) -> Response:
        customer = self.customer(name)
        bucket = self.whole(customer)
        currency = customer.currency or self.vendor.currency
        lines = [_line(item, bucket, currency) for item in bucket.items]
        return done({"total_revenue": bucket.total, "line_items": lines})


class TotalAccruedRevenueView(AccrualView):
    """From the start of the running cycle until now."""

    @documented("get_total_accrued_revenue", answer=AccruedAnswer)
    def get(self, request: Request, name: str) -> Response:
        return done(_accrued(self.whole(self.customer(name))))


class DailyAccruedRevenueView(AccrualView):
    """The same, day by day in the vendor's time zone."""

    @documented("get_daily_accrued_revenue", answer=list[DailyAccruedAnswer])
    def get(self, request: Request, name: str) -> Response:
        customer = self.customer(name)
        days = edges(self.cycle(customer).start, self.now, Bucket.DAY, self.vendor.zone)
        return done([{"date": bucket.start, **_accrued(bucket)} for bucket in accrued(customer, days)])


class SpendByTimeView(VendorView):
    """From ``start_time`` until now, across billing cycles."""

    access = {"POST": Access.READ}

    @documented("spend_by_time", body=SpendInput, answer=list[SpendAnswer])
    def post(self, request: Request, name: str) -> Response:
        customer, asked = self.customer(name), self.read(SpendInput)
        found = accrued(customer, edges(asked["start_time"], self.now, Bucket(asked["time_bucket"]), self.vendor.zone))
        return done([_spent(bucket) for bucket in found])


def _accrued(bucket: AccruedBucket) -> AccruedAnswer:
    return {
        "start_time": bucket.start,
        "end_time": bucket.end,
        "total_accrued_revenue": bucket.total,
        "line_items": [_item(item) for item in bucket.items],
    }


def _spent(bucket: AccruedBucket) -> SpendAnswer:
    return {
        "start_time": bucket.start,
        "end_time": bucket.end,
        "total_spend": bucket.total,
        "line_items": [_item(item) for item in bucket.items],
    }


def _item(item: AccruedItem) -> AccruedItemAnswer:
    return {
        "item_type": item.kind,
        "item_id": item.id,
        "item_identifier": item.identifier,
        "item_display_name": item.display_name,
        "usage": number(item.usage),
        "usage_unit_name": item.unit,
        "revenue": item.amount,
        "metadata": dict(item.labels),
    }


def _line(item: AccruedItem, bucket: AccruedBucket, currency: str) -> AccruedLineAnswer:
    """As a line item of an invoice is written."""
    return {
        "id": item.id,
        "name": item.display_name,
        "description": "",
        "quantity": number(item.usage),
        "quantity_unit": item.unit,
        "price": format_money(item.amount, currency),
        "price_int": item.amount,
        "start_time": bucket.start,
        "end_time": bucket.end,
        "metadata": {},
    }
