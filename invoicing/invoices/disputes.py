"""Disputes, as the gateway tells of them: opened, answered, won or lost; and the money they move.

They are answered in the gateway's dashboard. What they take and give back is a ledger of its own, beside payments and
refunds; the invoice stays paid, and says that it is disputed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from django.db import transaction

from customers.actors import STRIPE
from customers.events.models import EventKind
from customers.events.record import record
from customers.money import format_money
from invoicing.gateways import GatewayDispute
from invoicing.invoices.ledger import Dispute, DisputeMovement, DisputeState
from invoicing.invoices.lifecycle import invoice_fact, locked
from invoicing.invoices.models import Invoice

# Of several disputes of one invoice the first of these is shown with it.
MOST_URGENT = (
    DisputeState.NEEDS_RESPONSE,
    DisputeState.UNDER_REVIEW,
    DisputeState.LOST,
    DisputeState.WON,
    DisputeState.CLOSED,
)


def settle(invoice: Invoice, seen: GatewayDispute, *, real_now: datetime) -> None:
    """Write down the present state of a dispute. Told the same twice, it changes nothing."""
    with transaction.atomic():
        invoice = locked(invoice)
        now = invoice.vendor.now(real_now)
        row = invoice.disputes.filter(external_id=seen.external_id).first()
        was_open = row is None or row.is_open
        is_new = row is None
        row = _write(invoice, row, seen, now)
        _move_money(row, seen)
        _mark(invoice)
        if is_new:
            tell(row, EventKind.INVOICE_DISPUTED, now=now, real_now=real_now)
        if was_open and not row.is_open:
            tell(row, EventKind.INVOICE_DISPUTE_CLOSED, now=now, real_now=real_now)


def _write(invoice: Invoice, row: Dispute | None, seen: GatewayDispute, now: datetime) -> Dispute:
    row = row or Dispute(invoice=invoice, external_id=seen.external_id, opened_at=seen.opened_at)
    row.state, row.is_inquiry = DisputeState(seen.status), seen.is_inquiry
    row.amount, row.reason, row.due_by = seen.amount, seen.reason, seen.due_by
    row.closed_at = None if row.is_open else row.closed_at or now
    row.save()
    return row


def _move_money(row: Dispute, seen: GatewayDispute) -> None:
    made = [
        DisputeMovement(
            dispute=row, external_id=one.external_id, amount=one.amount, fee=one.fee, occurred_at=one.occurred_at
        )
        for one in seen.movements
    ]
    DisputeMovement.objects.bulk_create(made, ignore_conflicts=True)


def _mark(invoice: Invoice) -> None:
    states = set(invoice.disputes.values_list("state", flat=True))
    invoice.dispute_state = next((state for state in MOST_URGENT if state in states), "")
    invoice.save(update_fields=["dispute_state"])


def tell(row: Dispute, kind: EventKind, *, now: datetime, real_now: datetime) -> None:
    invoice = row.invoice
    note = f"{format_money(row.amount, invoice.currency)}: {row.get_state_display().lower()}."
    fact = invoice_fact(invoice, kind, {"note": note, "reason": row.reason_words, "dispute": row.external_id})
    told = {
        "dispute_id": str(row.uuid),
        "dispute_status": row.state,
        "reason": row.reason,
        "amount": row.amount,
        "currency": invoice.currency,
        "due_by": row.due_by,
    }
    record(invoice.vendor, replace(fact, payload={**fact.payload, **told}), actor=STRIPE, now=now, real_now=real_now)
