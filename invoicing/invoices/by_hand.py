"""Money that a person saw arrive: a wire, a cheque, cash. It is written down as a payment, and no total is edited.

All that remains, or more, pays the invoice; what is more is shown as overpaid. Less is a part payment, and the rest
stays due; reminders and charges of ours ask for the rest alone. Stripe cannot be told of a part that came elsewhere
and would still collect all of it, so a part payment of an invoice that Stripe holds is recorded there.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

from django.db import transaction

from customers.actors import Actor
from customers.errors import Invalid
from customers.events.models import EventKind
from customers.money import LARGEST_MINOR, format_money
from invoicing.invoices.collection import tell_amount
from invoicing.invoices.ledger import Payment
from invoicing.invoices.lifecycle import locked, paid_elsewhere, refuse_while_paying
from invoicing.invoices.models import Invoice
from invoicing.invoices.payments import write_by_hand
from invoicing.invoices.states import BEFORE_ISSUE, InvoiceStatus
from invoicing.invoices.verbs import InvoiceVerb, check


def record_payment(
    invoice: Invoice,
    *,
    amount: int,
    received_on: date | None = None,
    means: str = "",
    reference: str = "",
    actor: Actor,
    now: datetime,
    real_now: datetime,
) -> Invoice:
    """``amount`` in minor units came on ``received_on`` (None: today) by ``means``, in words."""
    by: dict[str, Any] = {"actor": actor, "now": now, "real_now": real_now}
    with transaction.atomic():
        invoice = locked(invoice)
        check(invoice, InvoiceVerb.RECORD_PAYMENT)
        refuse_while_paying(invoice, real_now)
        at = _moment(invoice, received_on, now)
        _check_amount(invoice, amount)
        is_rest = amount >= invoice.amount_remaining
        payment = write_by_hand(invoice, amount, means.strip(), reference.strip(), at)
        if invoice.state == InvoiceStatus.PAID:
            _count(invoice, "amount_overpaid", amount)
        elif is_rest:
            paid_elsewhere(invoice, **by, paid_at=at, excess=payment.excess, note=_words(payment))
        else:
            _count(invoice, "amount_paid", amount)
            tell_amount(invoice, EventKind.INVOICE_PARTLY_PAID, amount, _words(payment), **by)
        if payment.excess:
            tell_amount(invoice, EventKind.INVOICE_OVERPAID, payment.excess, _words(payment), **by)
    return invoice


def _moment(invoice: Invoice, day: date | None, now: datetime) -> datetime:
    """A past day is kept as its noon in the vendor's zone, so that no zone shows another day beside it."""
    today = now.astimezone(invoice.vendor.zone).date()
    if day is None or day == today:
        return now
    if day > today:
        raise Invalid({"received_on": f"Give a day until today, {today}."})
    return datetime.combine(day, time(12), invoice.vendor.zone).astimezone(UTC)


def _check_amount(invoice: Invoice, amount: int) -> None:
    if not 0 < amount <= LARGEST_MINOR:
        raise Invalid({"amount": "Give an amount above zero."})
    remaining = format_money(invoice.amount_remaining, invoice.currency)
    if amount >= invoice.amount_remaining:
        return
    if invoice.state in BEFORE_ISSUE:
        why = "It is not issued yet, and would still ask for all of it. Issue it first, or record at least"
        raise Invalid({"amount": f"{why} {remaining}."})
    if invoice.external_invoice_id:
        why = "Stripe holds it and would still collect all of it. Record a part payment in Stripe; here, at least"
        raise Invalid({"amount": f"{why} {remaining}."})


def _count(invoice: Invoice, column: str, amount: int) -> None:
    setattr(invoice, column, getattr(invoice, column) + amount)
    invoice.save(update_fields=[column])


def _words(payment: Payment) -> str:
    """Bank transfer, reference 4711."""
    reference = f"reference {payment.reference}" if payment.reference else ""
    return ", ".join(part for part in (payment.method, reference) if part)
