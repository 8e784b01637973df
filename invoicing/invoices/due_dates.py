"""A due date that a person chooses for one invoice, before it is issued."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import transaction

from customers.actors import Actor
from customers.errors import Invalid
from customers.events.models import EventKind
from invoicing.invoices.lifecycle import locked, note_fact, refuse_while_sending
from invoicing.invoices.models import Invoice
from invoicing.invoices.schedule import chosen_due_date
from invoicing.invoices.verbs import InvoiceVerb, check

LATEST = timedelta(days=5 * 366)


def change_due_date(invoice: Invoice, *, day: date | None, actor: Actor, now: datetime, real_now: datetime) -> Invoice:
    """Let it be due at the end of this day, in the vendor's zone; None: as the settings say when it is issued."""
    with transaction.atomic():
        invoice = locked(invoice)
        check(invoice, InvoiceVerb.CHANGE_DUE_DATE)
        refuse_while_sending(invoice)
        checked_day(day, now.astimezone(invoice.vendor.zone).date())
        if day == invoice.chosen_due_date:
            return invoice
        details = {"changes": {"Due date": {"before": invoice.chosen_due_date, "after": day}}}
        invoice.chosen_due_date = day
        invoice.due_date = chosen_due_date(invoice, now)
        invoice.save(update_fields=["chosen_due_date", "due_date"])
        kind = EventKind.INVOICE_DUE_DATE_CHANGED
        note_fact(invoice, kind, actor=actor, now=now, real_now=real_now, details=details)
    return invoice


def checked_day(day: date | None, today: date) -> date | None:
    """Raises ``Invalid`` for a day that makes no sense."""
    if day is not None and not today <= day <= today + LATEST:
        raise Invalid({"due_date": f"Give a day from today, {today}, to {today + LATEST}."})
    return day
