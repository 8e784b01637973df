"""A vendor with so many of everything that the API lists."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from billing_portal.accounts.models import ApiKey
from customers.models import (
    Customer,
    CustomerMetadata,
    Event,
    MeasurementMapping,
    Vendor,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from invoicing.models import (
    AdhocCharge,
    BillingCycle,
    ComingBill,
    Coupon,
    Discount,
    MeteredComponent,
    Payment,
    PricePlan,
    Subscription,
)
from tests.factories import (
    START,
    CustomerFactory,
    InvoiceFactory,
    LineItemFactory,
    MappingFactory,
    MeasurementFactory,
    MeteredComponentFactory,
    MeterFactory,
    PricePlanFactory,
    SubscriptionFactory,
)

DAY = timedelta(days=1)


def fill(vendor: Vendor, count: int) -> dict[str, str]:
    """``count`` of everything, most of it of the customer ``acme``. What the addresses' parameters stand for."""
    acme: Customer = CustomerFactory.create(vendor=vendor, name="acme")
    numbers = range(count)
    for other in CustomerFactory.create_batch(count - 1, vendor=vendor):
        MappingFactory.create(customer=other)
    MeasurementMapping.objects.bulk_create(MeasurementMapping(customer=acme, label=f"l{n}") for n in numbers)
    CustomerMetadata.objects.bulk_create(CustomerMetadata(customer=acme, property=f"p{n}", value="v") for n in numbers)
    for component in _components(vendor, count):
        _use(acme, component)
    _subscriptions(acme, count)
    for n in numbers:
        _invoice(acme, START + n * DAY)
        ApiKey.issue(vendor, f"key {n}", now=START + n * DAY)
    _charges(acme, count)
    _coming(acme)
    _coupons(vendor, count)
    return {"name": "acme", "token": "acme", "uuid": str(_webhooks(vendor, count).uuid)}


def _components(vendor: Vendor, count: int) -> list[MeteredComponent]:
    """Each in a plan of its own, with a meter of its own."""
    plans = [PricePlanFactory.create(vendor=vendor, tags=["spring-2026"]) for _ in range(count)]
    return [MeteredComponentFactory.create(price_plan=plan, meter=MeterFactory.create(vendor=vendor)) for plan in plans]


def _use(customer: Customer, component: MeteredComponent) -> None:
    MeasurementFactory.create(customer=customer, meter=component.meter)


def _subscriptions(customer: Customer, count: int) -> None:
    """One after the other, half of them to come and one running, each with a discount on its component."""
    begin = timezone.now() - count * DAY + DAY / 2
    for n, plan in enumerate(PricePlan.objects.of(customer.vendor).order_by("pk")):
        for start in (begin + n * DAY, timezone.now() + (n + 1) * DAY):
            _subscription(customer, plan, start)


def _subscription(customer: Customer, plan: PricePlan, start: datetime) -> None:
    subscription: Subscription = SubscriptionFactory.create(
        customer=customer, price_plan=plan, effective_at=start, expired_at=start + DAY
    )
    Discount.objects.create(
        vendor=customer.vendor, subscription=subscription, discount_type="PERCENT", amount=10, first_cycle=0,
        scope="METERED_COMPONENT", metered_component=plan.metered_components.get(), created_at=START,
    )  # fmt: skip


def _invoice(customer: Customer, at: datetime) -> None:
    invoice = InvoiceFactory.create(
        customer=customer, generated_at=at, status="INVOICE_PAID", amount_paid=500, next_action="", next_action_at=None
    )
    LineItemFactory.create_batch(2, invoice=invoice)
    Payment.objects.create(invoice=invoice, state="succeeded", amount=500, occurred_at=at)


def _charges(customer: Customer, count: int) -> None:
    AdhocCharge.objects.bulk_create(
        AdhocCharge(
            vendor=customer.vendor, customer=customer, charge_time=START + n * DAY, item_name=f"item {n}",
            quantity=1, total_price=100, created_at=START,
        )
        for n in range(count)
    )  # fmt: skip


def _coming(customer: Customer) -> None:
    """The bill of one running cycle for each subscription."""
    for subscription in Subscription.objects.filter(customer=customer):
        end = subscription.effective_at + DAY
        cycle = BillingCycle.objects.create(
            vendor=customer.vendor, subscription=subscription, customer=customer, index=0,
            start=subscription.effective_at, end=end, next_action="end", next_action_at=end,
        )  # fmt: skip
        ComingBill.objects.create(
            vendor=customer.vendor, cycle=cycle, customer=customer, currency="USD", amount_due=500, deviation=500,
            generate_at=end, worked_out_at=START,
        )  # fmt: skip


def _coupons(vendor: Vendor, count: int) -> None:
    for n in range(count):
        terms = {"frequency": "ONCE", "discount_type": "PERCENT", "amount": 5, "created_at": START}
        Coupon.objects.create(vendor=vendor, name=f"coupon-{n}", **terms)


def _webhooks(vendor: Vendor, count: int) -> WebhookEndpoint:
    """The first one has all the deliveries."""
    endpoints = [
        WebhookEndpoint.objects.create(vendor=vendor, url=f"https://example.com/{n}", created_at=START)
        for n in range(count)
    ]
    for _ in range(count):
        event = Event.objects.create(
            vendor=vendor, kind="customer.new", subject_kind="customer", subject_id=1, actor_kind="schedule",
            occurred_at=START, created_at=START, dispatched_at=START,
        )  # fmt: skip
        delivery = WebhookDelivery.objects.create(
            vendor=vendor, endpoint=endpoints[0], event=event, created_at=START, state="delivered"
        )
        WebhookAttempt.objects.create(delivery=delivery, attempted_at=START, duration_ms=5, status=200)
    return endpoints[0]
