"""A person holds an invoice back, with a reason, and lets it go on.

Held back are the issue, the retries that are ours and the reminders. What Stripe does by itself goes on, and so does
what a person decides: such an invoice can still be approved, charged, marked as paid or voided.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from customers.actors import Actor
from customers.events.models import EventKind
from invoicing.invoices import retries
from invoicing.invoices.lifecycle import (
    NOT_PAUSED,
    is_asking,
    locked,
    note_fact,
    refuse_while_sending,
    waits_for_answer,
)
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import OPEN, InvoiceAction
from invoicing.invoices.verbs import InvoiceVerb, check


def pause(invoice: Invoice, *, actor: Actor, reason: str, now: datetime, real_now: datetime) -> Invoice:
    with transaction.atomic():
        invoice = locked(invoice)
        check(invoice, InvoiceVerb.PAUSE)
        refuse_while_sending(invoice)
        if is_asking(invoice, real_now):
            raise waits_for_answer(invoice)
        invoice.paused_at, invoice.paused_by, invoice.pause_reason = now, actor.label, reason
        invoice.next_action_at = invoice.next_reminder_at = None
        invoice.save(update_fields=[*NOT_PAUSED, "next_action_at", "next_reminder_at"])
        kind, details = EventKind.INVOICE_PAUSED, {"reason": reason}
        note_fact(invoice, kind, actor=actor, now=now, real_now=real_now, details=details)
    return invoice


def resume(invoice: Invoice, *, actor: Actor, now: datetime, real_now: datetime) -> Invoice:
    """It goes on where it was. What fell due meanwhile is done at once; reminder days that passed are not made up."""
    with transaction.atomic():
        invoice = locked(invoice)
        check(invoice, InvoiceVerb.RESUME)
        for column, value in NOT_PAUSED.items():
            setattr(invoice, column, value)
        if invoice.next_action == InvoiceAction.ISSUE:
            invoice.next_action_at = invoice.issue_date
        elif invoice.next_action == InvoiceAction.COLLECT and invoice.next_action_at is None:
            invoice.next_action = InvoiceAction.NONE
        if invoice.state in OPEN:
            invoice.next_reminder_at = invoice.reminded_until = now
        columns = ["next_action", "next_action_at", "next_reminder_at", "reminded_until"]
        invoice.save(update_fields=[*NOT_PAUSED, *columns])
        retries.plan(invoice, now)
        note_fact(invoice, EventKind.INVOICE_RESUMED, actor=actor, now=now, real_now=real_now)
    return invoice
