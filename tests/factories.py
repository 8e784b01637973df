"""Rows for tests, with believable values and fixed times."""
# mypy: disable-error-code="attr-defined, no-untyped-call, type-arg, misc, no-untyped-def"

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import factory
from factory.django import DjangoModelFactory

from customers.models import Customer, MeasurementMapping, Vendor
from invoicing.invoices.snapshot import snapshot_of
from invoicing.models import (
    Invoice,
    LineItem,
    Measurement,
    Meter,
    MeteredComponent,
    PricePlan,
    PriceScheme,
    PriceTier,
    Subscription,
)

START = datetime(2026, 1, 1, tzinfo=UTC)


class VendorFactory(DjangoModelFactory):
    class Meta:
        model = Vendor

    name = factory.Sequence(lambda n: f"vendor-{n}")
    display_name = factory.Sequence(lambda n: f"Vendor {n}")
    currency = "USD"
    time_zone = "UTC"
    is_test = True
    created_at = START


class CustomerFactory(DjangoModelFactory):
    class Meta:
        model = Customer

    vendor = factory.SubFactory(VendorFactory)
    name = factory.Sequence(lambda n: f"customer-{n}")
    display_name = factory.Sequence(lambda n: f"Customer {n}")
    email = factory.LazyAttribute(lambda customer: f"{customer.name}@example.com")
    created_at = START


class MappingFactory(DjangoModelFactory):
    class Meta:
        model = MeasurementMapping

    customer = factory.SubFactory(CustomerFactory)
    label = "account"
    value_regex = factory.LazyAttribute(lambda mapping: mapping.customer.name)


class MeterFactory(DjangoModelFactory):
    class Meta:
        model = Meter

    vendor = factory.SubFactory(VendorFactory)
    name = factory.Sequence(lambda n: f"meter-{n}")
    event_name = factory.SelfAttribute("name")
    unit_name = "unit"
    created_at = START


class PricePlanFactory(DjangoModelFactory):
    class Meta:
        model = PricePlan

    vendor = factory.SubFactory(VendorFactory)
    name = factory.Sequence(lambda n: f"plan-{n}")
    currency = factory.LazyAttribute(lambda plan: plan.vendor.currency)
    base_price = 9900
    created_at = START


class PriceSchemeFactory(DjangoModelFactory):
    """FLAT at ``price`` minor units a unit."""

    class Meta:
        model = PriceScheme
        skip_postgeneration_save = True

    component = factory.SubFactory("tests.factories.MeteredComponentFactory", price_scheme=None)

    @factory.post_generation
    def price(self, create, extracted, **kwargs):
        PriceTier.objects.create(scheme=self, position=0, price=Decimal(7) if extracted is None else extracted)


class MeteredComponentFactory(DjangoModelFactory):
    """A meter in a plan: ``MeteredComponentFactory(price_plan=plan, price_scheme__price=Decimal("0.5"))``."""

    class Meta:
        model = MeteredComponent
        skip_postgeneration_save = True

    price_plan = factory.SubFactory(PricePlanFactory)
    meter = factory.SubFactory(MeterFactory, vendor=factory.SelfAttribute("..price_plan.vendor"))
    position = factory.LazyAttribute(lambda component: component.price_plan.metered_components.count())
    price_scheme = factory.RelatedFactory(PriceSchemeFactory, "component")


class SubscriptionFactory(DjangoModelFactory):
    """The row alone. Use ``invoicing.subscriptions.verbs.subscribe`` where its billing cycles matter."""

    class Meta:
        model = Subscription

    customer = factory.SubFactory(CustomerFactory)
    vendor = factory.SelfAttribute("customer.vendor")
    price_plan = factory.SubFactory(PricePlanFactory, vendor=factory.SelfAttribute("..vendor"))
    effective_at = START
    created_at = START


class MeasurementFactory(DjangoModelFactory):
    class Meta:
        model = Measurement

    customer = factory.SubFactory(CustomerFactory)
    vendor = factory.SelfAttribute("customer.vendor")
    meter = factory.SubFactory(MeterFactory, vendor=factory.SelfAttribute("..vendor"))
    time = START
    value = Decimal(1)
    received_at = START


class InvoiceFactory(DjangoModelFactory):
    """A generated invoice of $10, approved and waiting to be issued."""

    class Meta:
        model = Invoice

    vendor = factory.SelfAttribute("customer.vendor")
    customer = factory.SubFactory(CustomerFactory)
    currency = "USD"
    sub_total = 1000
    amount_due = factory.SelfAttribute("sub_total")
    period_start = START
    period_end = datetime(2026, 2, 1, tzinfo=UTC)
    min_item_start_time = factory.SelfAttribute("period_start")
    max_item_end_time = factory.SelfAttribute("period_end")
    generated_at = factory.SelfAttribute("period_end")
    issue_date = factory.SelfAttribute("generated_at")
    is_approved = True
    next_action = "issue"
    next_action_at = factory.SelfAttribute("issue_date")
    customer_snapshot = factory.LazyAttribute(lambda invoice: snapshot_of(invoice.customer))
    # What the database demands of later states.
    number = factory.Sequence(lambda n: f"T-{n:05d}")
    issued_at = factory.SelfAttribute("issue_date")
    paid_at = factory.SelfAttribute("issue_date")


class LineItemFactory(DjangoModelFactory):
    class Meta:
        model = LineItem

    invoice = factory.SubFactory(InvoiceFactory)
    position = factory.Sequence(int)
    kind = "BASE_PRICE"
    name = "Base price"
    amount = 1000
    start_time = factory.SelfAttribute("invoice.period_start")
    end_time = factory.SelfAttribute("invoice.period_end")
