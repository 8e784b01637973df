"""When is a customer reminded? The planned look at an open invoice, and the reminders it finds due.

``next_reminder_at`` says when to look. The look reads the settings of its moment, queues what has fallen due since
the last one, and plans the next. Looking once too often does no harm.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Q

from customers.billing_pause import NOT_PAUSED
from customers.customer import Customer
from customers.settings.policy import BillingPolicy, policies_for
from customers.vendor import Vendor
from invoicing.invoices.models import EmailKind, Invoice, OutgoingEmail
from invoicing.invoices.outbox import new_email
from invoicing.invoices.states import OPEN


@dataclass(frozen=True, order=True)
class Reminder:
    at: datetime
    kind: EmailKind
    days: int


def reminders(invoice: Invoice, policy: BillingPolicy) -> list[Reminder]:
    """All of them, past and to come, in order. None where nobody has to pay by a certain day."""
    if invoice.state not in OPEN or invoice.due_date is None or invoice.amount_remaining <= 0:
        return []
    if not policy.should_send_invoice_to_customers or invoice.paused_at:
        return []
    due = invoice.due_date.astimezone(invoice.vendor.zone)
    before = [Reminder(_away(due, -days), EmailKind.UPCOMING, days) for days in policy.upcoming_reminder_days_array]
    after = [Reminder(_away(due, days), EmailKind.PAST_DUE, days) for days in policy.past_due_reminder_days_array]
    return sorted({*before, *after})


def _away(due: datetime, days: int) -> datetime:
    """The same time of day in the vendor's zone, so many days away."""
    return (due + timedelta(days=days)).astimezone(UTC)


CHUNK = 500


def remind_due(due: Q, *, real_now: datetime) -> bool:
    """One batch of looks. True while there may be more."""
    with transaction.atomic():
        # Customers apart: where nothing is due nobody looks at them.
        rows = Invoice.objects.filter(due, NOT_PAUSED).select_related("vendor").prefetch_related("customer")
        rows = rows.order_by("next_reminder_at", "pk")
        batch = list(rows.select_for_update(of=("self",), skip_locked=True)[:CHUNK])
        emails = [email for vendor, mine in _by_vendor(batch) for email in _look_at(vendor, mine, vendor.now(real_now))]
        OutgoingEmail.objects.bulk_create(emails, ignore_conflicts=True)
        Invoice.objects.bulk_update(batch, ["next_reminder_at", "reminded_until"])
    return len(batch) == CHUNK


def _by_vendor(batch: list[Invoice]) -> list[tuple[Vendor, list[Invoice]]]:
    groups: dict[int, list[Invoice]] = {}
    for invoice in batch:
        groups.setdefault(invoice.vendor_id, []).append(invoice)
    return [(mine[0].vendor, mine) for mine in groups.values()]


def _look_at(vendor: Vendor, invoices: list[Invoice], now: datetime) -> list[OutgoingEmail]:
    policies = policies_for(vendor, {invoice.customer_id for invoice in invoices})
    found = [_look(invoice, policies[invoice.customer_id], now) for invoice in invoices]
    return [email for email in found if email is not None]


def _look(invoice: Invoice, policy: BillingPolicy, now: datetime) -> OutgoingEmail | None:
    """The latest of the reminders that fell due since the last look: nobody is sent several at once."""
    planned = reminders(invoice, policy)
    since = invoice.reminded_until or invoice.issued_at or now
    missed = [reminder for reminder in planned if since < reminder.at <= now]
    invoice.reminded_until = max(now, since)
    invoice.next_reminder_at = next((reminder.at for reminder in planned if reminder.at > now), None)
    if not missed or not can_be_paid(invoice):
        return None
    return new_email(invoice, missed[-1].kind, str(missed[-1].days), now=now)


def can_be_paid(invoice: Invoice) -> bool:
    """A Stripe invoice that is still a draft there has not reached the customer."""
    return not invoice.gateway or bool(invoice.hosted_url)


def replan(vendor: Vendor, customer: Customer | None, *, now: datetime) -> None:
    """Settings were saved: look again, with one statement. Reminder days that have passed are not made up for.

    A look that is due already is left alone: it finds what fell due before.
    """
    rows = Invoice.objects.of(vendor).filter(status__in=OPEN, due_date__isnull=False)
    if customer is not None:
        rows = rows.filter(customer=customer)
    rows.exclude(next_reminder_at__lte=now).update(next_reminder_at=now, reminded_until=now)
