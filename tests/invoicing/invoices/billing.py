"""A customer whose billing cycles go by: what is invoiced, line by line."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Q

from customers.actors import SCHEDULE
from customers.models import BillingSettings, Customer, Vendor
from invoicing.catalog.verbs import create_meter, create_price_plan
from invoicing.invoices.advance import advance
from invoicing.models import Invoice, Measurement, Meter, PricePlan, Subscription
from invoicing.subscriptions import verbs
from tests.factories import CustomerFactory, VendorFactory
from tests.world import utc

JANUARY, FEBRUARY, MARCH, APRIL, MAY = (utc(2026, month, 1) for month in range(1, 6))


class Shop:
    """Time is told as real time: ``until`` lets everything happen that is due by then."""

    def __init__(self, **settings: Any) -> None:
        self.vendor: Vendor = VendorFactory.create()
        self.customer: Customer = CustomerFactory.create(vendor=self.vendor, name="acme")
        BillingSettings.objects.create(vendor=self.vendor, updated_at=JANUARY, **settings)

    def settings(self, **values: Any) -> None:
        BillingSettings.objects.filter(vendor=self.vendor).update(**values)

    def meter(self, name: str, **fields: Any) -> Meter:
        return create_meter(self.vendor, {"name": name, **fields}, now=JANUARY, real_now=JANUARY)

    def gauge(self, name: str = "storage", **fields: Any) -> Meter:
        level = {"meter_type": "GAUGE", "aggregation": "TIME_WEIGHTED_SUM", "unit_name": "GB"}
        return self.meter(name, **{**level, **fields})

    def plan(self, name: str = "pro", **fields: Any) -> PricePlan:
        return create_price_plan(self.vendor, {"name": name, "display_name": name.title(), **fields}, now=JANUARY)

    def subscribe(
        self, plan: PricePlan, at: datetime = JANUARY, now: datetime | None = None, **how: Any
    ) -> Subscription:
        now = now or at
        return verbs.subscribe(self.customer, plan, effective_at=at, actor=SCHEDULE, now=now, real_now=now, **how)

    def change(self, plan: PricePlan, now: datetime, **how: Any) -> Subscription:
        return verbs.change_plan(self.customer, plan, actor=SCHEDULE, now=now, real_now=now, **how)

    def end(self, now: datetime, **how: Any) -> None:
        verbs.end_subscription(self.customer, actor=SCHEDULE, now=now, real_now=now, **how)

    def use(self, meter: Meter, value: int | str, at: datetime) -> None:
        Measurement.objects.create(
            vendor=self.vendor, customer=self.customer, meter=meter, value=Decimal(value), time=at, received_at=at
        )

    def until(self, now: datetime) -> None:
        due = Q(next_action_at__lte=now)
        for _ in range(3):
            advance(due, real_now=now, hand_over=lambda pk, token: None)

    def invoices(self) -> list[Invoice]:
        return list(Invoice.objects.of(self.vendor).filter(customer=self.customer).order_by("pk"))

    def bills(self) -> list[list[tuple[str, int]]]:
        """What has been invoiced, oldest first: the name and amount of each line."""
        return [self.lines(invoice) for invoice in self.invoices()]

    def lines(self, invoice: Invoice) -> list[tuple[str, int]]:
        return [(line.name, line.amount) for line in invoice.line_items.all()]

    def last(self) -> list[tuple[str, int]]:
        return self.bills()[-1]


def component(meter: Meter, price: float, **fields: Any) -> dict[str, Any]:
    scheme = {"scheme_type": "FLAT", "prices": [{"price": price}], **fields.pop("scheme", {})}
    return {"meter_name": meter.name, "price_scheme": scheme, **fields}
