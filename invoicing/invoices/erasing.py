"""A customer is erased: what invoices, e-mails and measurements say of the person. Amounts, numbers, dates, states and
line items stay, and so does each document as it was issued."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connection
from django.db.models import F, Func, JSONField, Q

from customers.customer import Customer
from customers.errors import Conflict
from invoicing.catalog.models import Meter
from invoicing.invoices.charge_attempts import ChargeAttempt
from invoicing.invoices.ledger import Payment
from invoicing.invoices.models import Invoice, IssueAttempt, OutgoingEmail
from invoicing.invoices.snapshot import snapshot_of
from invoicing.invoices.states import TERMINAL, InvoiceStatus
from invoicing.subscriptions.models import BillingCycle, Subscription
from invoicing.usage.models import Measurement, UnattributedMeasurement

# Nothing is sent to, or collected from, the customer any more.
SETTLED = (*TERMINAL, InvoiceStatus.UNCOLLECTIBLE)


def forget(customer: Customer, was: str, *, real_now: datetime) -> Sequence[str]:
    """Raises ``Conflict`` while something is still to be billed or collected."""
    _check_settled(customer, was, now=customer.vendor.now(real_now))
    invoices = Invoice.objects.of(customer.vendor).filter(customer=customer)
    texts = ("memo", "hold_reason", "pause_reason", "invoicing_error", "payment_error", "status_error", "delivery")
    said = {"customer_snapshot": snapshot_of(customer), "policy_snapshot": _WithoutTexts(F("policy_snapshot"))}
    invoices.update(**said, action_request={}, **dict.fromkeys(texts, ""))
    IssueAttempt.objects.filter(invoice__in=invoices).update(request={}, error="")
    ChargeAttempt.objects.filter(invoice__in=invoices).update(request={}, error="")
    Payment.objects.filter(invoice__in=invoices).update(method="", error="")
    OutgoingEmail.objects.of(customer.vendor).filter(invoice__in=invoices).update(recipients=[], subject="", error="")
    UnattributedMeasurement.objects.of(customer.vendor).filter(customer_name=was).delete()
    _forget_labels(customer)
    return ()


class _WithoutTexts(Func):
    """The settings of a step without those that a person writes for one customer."""

    template = "%(expressions)s - '{invoice_memo,invoice_logo_url}'::text[]"
    output_field = JSONField()


def _check_settled(customer: Customer, was: str, *, now: datetime) -> None:
    mine = Subscription.objects.of(customer.vendor).filter(customer=customer)
    if mine.filter(Q(expired_at__isnull=True) | Q(expired_at__gt=now)).exists():
        raise Conflict(f"{was} has a subscription. End it first, and wait for its last invoice.", code="not_settled")
    if BillingCycle.objects.of(customer.vendor).filter(customer=customer, next_action_at__isnull=False).exists():
        raise Conflict(f"A billing cycle of {was} is still to be invoiced. Wait for its invoice.", code="not_settled")
    invoices = Invoice.objects.of(customer.vendor).filter(customer=customer)
    unsettled = invoices.exclude(status__in=SETTLED).order_by("pk").first()
    if unsettled is not None:
        message = f"{unsettled} of {was} is neither paid nor voided nor given up. Settle it first."
        raise Conflict(message, code="not_settled")
    if OutgoingEmail.objects.of(customer.vendor).filter(invoice__in=invoices, next_action_at__isnull=False).exists():
        raise Conflict(f"An e-mail to {was} is on its way. Try again in a while.", code="not_settled")


def _forget_labels(customer: Customer) -> None:
    """Those that amounts go by, a meter's primary labels, stay."""
    meters = Measurement.objects.of(customer.vendor).filter(customer=customer).values("meter").distinct()
    for meter in Meter.objects.of(customer.vendor).filter(pk__in=meters.order_by()):
        kept = list(meter.primary_labels)
        with connection.cursor() as cursor:
            cursor.execute(_LABELS, {"customer": customer.pk, "meter": meter.pk, "kept": kept})


_LABELS = """
    UPDATE invoicing_measurement SET labels = coalesce(
        (SELECT jsonb_object_agg(key, value) FROM jsonb_each(labels) WHERE key = ANY(%(kept)s::text[])), '{}'
    )
    WHERE customer_id = %(customer)s AND meter_id = %(meter)s AND labels - %(kept)s::text[] <> '{}'
"""
