"""A small world for stories: one vendor whose clock can be moved, its customers, Stripe (the sandbox)."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from customers import clock
from customers.actors import SCHEDULE, Actor, ActorKind
from customers.models import BillingSettings, BillingSettingsOverride, Customer, Vendor
from invoicing.models import Invoice, Measurement, Meter, PricePlan, Subscription
from invoicing.subscriptions.verbs import subscribe
from tests.factories import CustomerFactory, MeteredComponentFactory, MeterFactory, PricePlanFactory, VendorFactory

OPERATOR = Actor(ActorKind.OPERATOR, "olivia@example.com", "1")


class World:
    """Time is told as the vendor's. ``move_to`` lets everything happen that falls due on the way."""

    def __init__(self, start: datetime, **vendor: Any) -> None:
        self.vendor: Vendor = VendorFactory(clock_offset=start - timezone.now(), **vendor)
        for participant in clock.participants():
            participant.follow(self.vendor)

    @property
    def now(self) -> datetime:
        self.vendor.refresh_from_db()
        return self.vendor.now(timezone.now())

    def settings(self, **values: Any) -> None:
        BillingSettings.objects.update_or_create(vendor=self.vendor, defaults={"updated_at": timezone.now(), **values})

    def override(self, customer: Customer, **values: Any) -> None:
        BillingSettingsOverride.objects.update_or_create(
            vendor=self.vendor, customer=customer, defaults={"updated_at": timezone.now(), **values}
        )

    def meter(self, name: str = "requests", **fields: Any) -> Meter:
        return MeterFactory(vendor=self.vendor, name=name, event_name=name, **fields)

    def plan(self, *components: tuple[Meter, str, Decimal], base_price: int = 9900, **fields: Any) -> PricePlan:
        """Each component: meter, Invoice Display Name, price in cents a unit."""
        plan = PricePlanFactory(vendor=self.vendor, base_price=base_price, **fields)
        for position, (meter, display_name, price) in enumerate(components):
            MeteredComponentFactory(
                price_plan=plan, meter=meter, display_name=display_name, position=position, price_scheme__price=price
            )
        return plan

    def customer(self, name: str = "acme", **fields: Any) -> Customer:
        return CustomerFactory(vendor=self.vendor, name=name, **fields)

    def subscribe(self, customer: Customer, plan: PricePlan, **terms: Any) -> Subscription:
        now = self.now
        return subscribe(customer, plan, actor=SCHEDULE, now=now, real_now=timezone.now(), **terms)

    def use(self, customer: Customer, meter: Meter, value: int | Decimal, at: datetime | None = None) -> None:
        Measurement.objects.create(
            vendor=self.vendor,
            customer=customer,
            meter=meter,
            value=value,
            time=at or self.now,
            received_at=timezone.now(),
        )

    def move_to(self, target: datetime, *, meanwhile: Callable[[], None] | None = None) -> None:
        """Move the clock and drive it until it is ready."""
        clock.move_forward(self.vendor, target, actor=OPERATOR, real_now=timezone.now())
        self.settle(meanwhile)

    def move_by(self, **delta: float) -> None:
        self.move_to(self.now + timedelta(**delta))

    def rest(self) -> None:
        """Let everything happen that is due now, without moving the clock."""
        patience = time.monotonic() + 30
        while time.monotonic() < patience:
            rooms = clock.participants()
            if not any([p.settle(self.vendor, now=self.now, real_now=timezone.now()) for p in rooms]):  # noqa: C419
                return
        raise AssertionError("The world does not come to rest.")

    def settle(self, meanwhile: Callable[[], None] | None = None) -> None:
        patience = time.monotonic() + 60
        while time.monotonic() < patience:
            clock.drive(self.vendor.pk, real_now=timezone.now())
            if meanwhile:
                meanwhile()
            self.vendor.refresh_from_db()
            if not self.vendor.clock_is_advancing:
                return
        raise AssertionError("The clock does not come to rest: something stays under way for ever.")

    def invoices(self, customer: Customer | None = None) -> list[Invoice]:
        rows = Invoice.objects.of(self.vendor).select_related("vendor", "customer").order_by("period_start", "pk")
        return list(rows.filter(customer=customer) if customer else rows)

    def invoice(self, customer: Customer | None = None) -> Invoice:
        """The only invoice there is."""
        [invoice] = self.invoices(customer)
        return invoice

    def kinds(self, invoice: Invoice) -> list[str]:
        """The kinds of events in an invoice's timeline, oldest first."""
        from customers.models import Event

        rows = Event.objects.of(self.vendor).filter(subject_kind="invoice", subject_id=invoice.pk).order_by("pk")
        return list(rows.values_list("kind", flat=True))


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]
