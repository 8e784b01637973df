"""Everything that is kept of one customer, to be handed out (the right of access and to take one's data along)."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Max, Min, Q, QuerySet

from customers.customer import Customer
from customers.events.models import Event, SubjectKind
from customers.settings.models import BillingSettingsOverride
from invoicing.invoices.ledger import Payment, Refund
from invoicing.invoices.models import Invoice, LineItem, OutgoingEmail
from invoicing.subscriptions.models import Subscription
from invoicing.usage.models import Measurement
from payments.stripe.models import StripeCustomer, StripePaymentMethod

# Of no meaning outside, and no word about the customer.
INSIDE = frozenset({"vendor", "customer", "claim_token", "claimed_until", "failures", "idempotency_key"})


def export_of(customer: Customer) -> dict[str, Any]:
    """JSON to be. Measurements are summed up: single ones come with the list of measurements."""
    vendor = customer.vendor
    invoices = Invoice.objects.of(vendor).filter(customer=customer).order_by("pk")
    about = Q(customer_id=customer.pk) | Q(subject_kind=SubjectKind.CUSTOMER, subject_id=customer.pk)
    linked = StripeCustomer.objects.of(vendor).filter(customer=customer)
    return {
        "customer": _rows(Customer.objects.of(vendor).filter(pk=customer.pk))[0],
        "metadata": dict(customer.metadata.values_list("property", "value")),
        "measurement_mappings": _rows(customer.measurement_mappings.order_by("pk")),
        "billing_settings": _rows(BillingSettingsOverride.objects.of(vendor).filter(customer=customer)),
        "subscriptions": _rows(Subscription.objects.of(vendor).filter(customer=customer).order_by("pk")),
        "usage": _usage(customer),
        "invoices": _rows(invoices),
        "line_items": _rows(LineItem.objects.filter(invoice__in=invoices).order_by("invoice", "position")),
        "payments": _rows(Payment.objects.filter(invoice__in=invoices).order_by("pk")),
        "refunds": _rows(Refund.objects.filter(invoice__in=invoices).order_by("pk")),
        "emails": _rows(OutgoingEmail.objects.of(vendor).filter(invoice__in=invoices).order_by("pk")),
        "stripe_customers": _rows(linked),
        "payment_methods": _rows(StripePaymentMethod.objects.filter(stripe_customer__in=linked).order_by("pk")),
        "events": list(Event.objects.of(vendor).filter(about).order_by("pk").values("kind", "occurred_at", "details")),
    }


def _rows(rows: QuerySet[Any]) -> list[dict[str, Any]]:
    names = [field.name for field in rows.model._meta.concrete_fields if field.name not in INSIDE]
    return list(rows.values(*names))


def _usage(customer: Customer) -> list[dict[str, Any]]:
    mine = Measurement.objects.of(customer.vendor).filter(customer=customer).order_by("meter__name")
    sums = mine.values("meter__name").annotate(count=Count("id"), first=Min("time"), last=Max("time"))
    return [dict(row) for row in sums]
