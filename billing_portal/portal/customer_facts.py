"""What a list of customers needs to know about each, with a constant number of queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, Count, Exists, ExpressionWrapper, OuterRef, Prefetch, QuerySet, Sum
from django.db.models.functions import Coalesce

from billing_portal.portal.invoice_filters import OUTSTANDING, REMAINING, overdue, past_due
from customers.customer import Customer, MeasurementMapping
from customers.settings.models import BillingSettingsOverride
from customers.vendor import Vendor
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import InvoiceStatus
from invoicing.subscriptions.models import Subscription
from invoicing.usage.models import was_measured
from payments.stripe.models import StripeCustomer, StripePaymentMethod


@dataclass(frozen=True)
class Status:
    label: str
    tone: str


# The first that applies is shown: what is worst, then what is missing.
GOOD = Status("Good standing", "success")


@dataclass(frozen=True)
class Owed:
    """What is still to be paid in one currency, and how much of it is past due."""

    currency: str
    amount: int
    late: int


@dataclass
class CustomerRow:
    customer: Customer
    status: Status
    plan: str
    stripe: StripeCustomer | None
    method: StripePaymentMethod | None
    has_override: bool
    outstanding: Sequence[Owed] = field(default_factory=list)


def with_facts(rows: QuerySet[Customer], vendor: Vendor) -> QuerySet[Customer]:
    mine = OuterRef("pk")
    stripe: Any = StripeCustomer.objects.of(vendor).filter(connection__is_active=True)
    plans: Any = Subscription.objects.of(vendor).select_related("price_plan")
    invoices = Invoice.objects.of(vendor).filter(customer=mine)
    return rows.annotate(
        invoicing_failed=Exists(invoices.filter(status=InvoiceStatus.INVOICING_FAILED)),
        payment_failed=Exists(invoices.filter(status=InvoiceStatus.PAYMENT_FAILED)),
        has_measurements=ExpressionWrapper(was_measured(vendor, mine), output_field=BooleanField()),
        has_mappings=Exists(MeasurementMapping.objects.filter(customer=mine)),
        has_override=Exists(BillingSettingsOverride.objects.of(vendor).filter(customer=mine)),
    ).prefetch_related(
        Prefetch("stripe_customers", stripe.prefetch_related("payment_methods"), to_attr="acting_stripe"),
        Prefetch("subscriptions", plans, to_attr="all_plans"),
    )


def loaded(vendor: Vendor, customers: Sequence[Customer]) -> list[Customer]:
    """The same, with their facts. Asked for by id, each fact is looked up in an index; beside a longer condition the
    database would rather read whole tables."""
    rows = with_facts(Customer.objects.of(vendor).filter(pk__in=[customer.pk for customer in customers]), vendor)
    found = {customer.pk: customer for customer in rows}
    return [found[customer.pk] for customer in customers if customer.pk in found]


def rows_of(vendor: Vendor, customers: Sequence[Customer], now: datetime) -> list[CustomerRow]:
    """``customers`` come from a query ``with_facts``."""
    owed = outstanding_of(vendor, [customer.pk for customer in customers], now)
    return [_row(customer, now, owed.get(customer.pk, [])) for customer in customers]


def _row(customer: Customer, now: datetime, outstanding: Sequence[Owed]) -> CustomerRow:
    subscription = subscription_at(customer, now)
    stripe = acting_stripe(customer)
    return CustomerRow(
        customer,
        status=_status(customer, subscription, stripe),
        plan=subscription.price_plan.label if subscription else "",
        stripe=stripe,
        method=default_method(stripe),
        has_override=customer.has_override,  # type: ignore[attr-defined]
        outstanding=outstanding,
    )


def acting_stripe(customer: Customer) -> StripeCustomer | None:
    found: list[StripeCustomer] = customer.acting_stripe  # type: ignore[attr-defined]
    return found[0] if found else None


def default_method(stripe: StripeCustomer | None) -> StripePaymentMethod | None:
    methods = list(stripe.payment_methods.all()) if stripe else []
    return next((method for method in methods if method.is_default), methods[0] if methods else None)


def subscription_at(customer: Customer, now: datetime) -> Subscription | None:
    """The one that runs now, else the next one to start."""
    plans: list[Subscription] = customer.all_plans  # type: ignore[attr-defined]
    alive = [plan for plan in plans if plan.expired_at is None or plan.expired_at > now]
    return min(alive, key=lambda plan: plan.effective_at, default=None)


def _status(customer: Customer, subscription: Subscription | None, stripe: StripeCustomer | None) -> Status:
    rules = (
        (customer.invoicing_failed, Status("Invoicing failed", "danger")),  # type: ignore[attr-defined]
        (customer.payment_failed, Status("Payment failed", "danger")),  # type: ignore[attr-defined]
        (subscription is None, Status("No subscription", "default")),
        (subscription and subscription.expired_at, Status("Subscription ending", "warning")),
        (not customer.has_measurements, Status("No measurements", "default")),  # type: ignore[attr-defined]
        (not customer.has_mappings, Status("No measurement mappings", "default")),  # type: ignore[attr-defined]
        (not (stripe and stripe.state == StripeCustomer.State.LINKED), Status("Payments not set up", "warning")),
    )
    return next((status for applies, status in rules if applies), GOOD)


def outstanding_of(vendor: Vendor, ids: Sequence[int], now: datetime) -> Mapping[int, list[Owed]]:
    """By customer, currency by currency."""
    owing = Invoice.objects.of(vendor).filter(OUTSTANDING, customer_id__in=ids).values("customer_id", "currency")
    late = Coalesce(Sum(REMAINING, filter=overdue(now)), 0)
    found: dict[int, list[Owed]] = {}
    for row in owing.annotate(total=Sum(REMAINING), late=late).order_by("currency"):
        if row["total"]:
            found.setdefault(row["customer_id"], []).append(Owed(row["currency"], row["total"], row["late"]))
    return found


def totals_of(vendor: Vendor, customer: Customer, now: datetime) -> list[dict[str, Any]]:
    """Open, past due and paid, for each currency."""
    by_currency = Invoice.objects.of(vendor).filter(customer=customer).values("currency").order_by("currency")
    rows = by_currency.annotate(
        open=Coalesce(Sum(REMAINING, filter=OUTSTANDING), 0),
        late=Coalesce(Sum(REMAINING, filter=past_due(now)), 0),
        paid=Coalesce(Sum("amount_paid"), 0),
        count=Count("pk"),
    )
    return [dict(row) for row in rows]
