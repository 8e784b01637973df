"""Telling that an open invoice has passed its due date: once, when the vendor's clock does."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import F, Q

from customers.actors import SCHEDULE
from customers.events.models import Event, EventKind
from customers.events.record import build_event
from customers.scoping import VendorQuerySet
from invoicing.invoices.lifecycle import invoice_fact
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import OPEN

CHUNK = 500


def untold() -> VendorQuerySet[Invoice]:
    """Those that somebody still has to pay, and that nobody was told of."""
    rows: VendorQuerySet[Invoice] = Invoice.objects.filter(
        status__in=OPEN, due_date__isnull=False, past_due_at__isnull=True, amount_due__gt=F("amount_paid")
    )
    return rows


def tell_past_due(due: Q, *, real_now: datetime) -> bool:
    """One batch. True while there may be more."""
    with transaction.atomic():
        # Customers apart: where nothing is due nobody looks at them.
        rows = untold().filter(due).select_related("vendor").prefetch_related("customer").order_by("due_date", "pk")
        batch = list(rows.select_for_update(of=("self",), skip_locked=True)[:CHUNK])
        for invoice in batch:
            invoice.past_due_at = invoice.vendor.now(real_now)
        Invoice.objects.bulk_update(batch, ["past_due_at"])
        Event.objects.bulk_create(_event(invoice, real_now) for invoice in batch)
    return len(batch) == CHUNK


def _event(invoice: Invoice, real_now: datetime) -> Event:
    fact = invoice_fact(invoice, EventKind.INVOICE_PAST_DUE)
    now = invoice.vendor.now(real_now)
    return build_event(invoice.vendor, fact, actor=SCHEDULE, now=now, real_now=real_now)
