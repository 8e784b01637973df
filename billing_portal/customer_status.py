"""How does a customer stand? One word, the most severe that applies; it needs every room to say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import models
from django.db.models import Q

from customers.customer import Customer
from invoicing.invoices.states import InvoiceStatus
from invoicing.models import Invoice, Subscription
from invoicing.usage.models import was_measured
from payments.models import StripeCustomer


class CustomerStatus(models.TextChoices):
    """Most severe first."""

    INVOICING_FAILED = "INVOICING_FAILED", "Invoicing failed"
    PAYMENT_FAILED = "PAYMENT_FAILED", "Payment failed"
    NO_SUBSCRIPTION = "NO_SUBSCRIPTION", "No subscription"
    SUBSCRIPTION_ENDING = "SUBSCRIPTION_ENDING", "Subscription ending"
    NO_MEASUREMENTS = "NO_MEASUREMENTS", "No measurements"
    NO_MEASUREMENT_MAPPINGS = "NO_MEASUREMENT_MAPPINGS", "No measurement mappings"
    NO_PAYMENT_CREDENTIAL = "NO_PAYMENT_CREDENTIAL", "Payments not set up"
    HEALTHY = "HEALTHY", "Good standing"


def customer_status(customer: Customer, now: datetime) -> CustomerStatus:
    """``now`` is the vendor's time."""
    return next((status for status, applies in _CHECKS if applies(customer, now)), CustomerStatus.HEALTHY)


def _has_invoice(status: InvoiceStatus) -> Callable[[Customer, datetime], bool]:
    return lambda customer, now: Invoice.objects.of(customer.vendor).filter(customer=customer, status=status).exists()


def _subscriptions(customer: Customer, now: datetime) -> models.QuerySet[Subscription]:
    """Running or scheduled."""
    rows = Subscription.objects.of(customer.vendor).filter(customer=customer)
    return rows.filter(Q(expired_at__isnull=True) | Q(expired_at__gt=now))


def _is_ending(customer: Customer, now: datetime) -> bool:
    return not _subscriptions(customer, now).filter(expired_at__isnull=True).exists()


def _never_measured(customer: Customer, now: datetime) -> bool:
    return (
        not Customer.objects.of(customer.vendor)
        .filter(was_measured(customer.vendor, customer), pk=customer.pk)
        .exists()
    )


def _has_no_counterpart(customer: Customer, now: datetime) -> bool:
    rows = StripeCustomer.objects.of(customer.vendor).filter(customer=customer, connection__is_active=True)
    return not rows.filter(state=StripeCustomer.State.LINKED).exists()


_CHECKS: tuple[tuple[CustomerStatus, Callable[[Customer, datetime], bool]], ...] = (
    (CustomerStatus.INVOICING_FAILED, _has_invoice(InvoiceStatus.INVOICING_FAILED)),
    (CustomerStatus.PAYMENT_FAILED, _has_invoice(InvoiceStatus.PAYMENT_FAILED)),
    (CustomerStatus.NO_SUBSCRIPTION, lambda customer, now: not _subscriptions(customer, now).exists()),
    (CustomerStatus.SUBSCRIPTION_ENDING, _is_ending),
    (CustomerStatus.NO_MEASUREMENTS, _never_measured),
    (CustomerStatus.NO_MEASUREMENT_MAPPINGS, lambda customer, now: not customer.measurement_mappings.exists()),
    (CustomerStatus.NO_PAYMENT_CREDENTIAL, _has_no_counterpart),
)
