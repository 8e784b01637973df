"""News of payment. ``settle`` brings our invoice to the state its counterpart at the gateway is in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from customers.actors import STRIPE
from customers.errors import Refused
from customers.events.models import EventKind
from customers.settings.policy import policy_for
from invoicing.gateways import GatewayInvoice, GatewayPayment, GatewayStatus
from invoicing.invoices.lifecycle import note_fact, transition
from invoicing.invoices.models import AttemptState, Invoice, Payment
from invoicing.invoices.papers import keep_document
from invoicing.invoices.states import OPEN, TRANSITIONS, InvoiceAction, InvoiceStatus
from invoicing.invoices.taxing import copy_tax

S = InvoiceStatus


class StillIssuing(Refused):
    """Our own call is under way; its answer will settle the invoice. Ask again in a moment."""

    code = "still_issuing"


STATUS_OF: Mapping[GatewayStatus, tuple[InvoiceStatus, EventKind]] = {
    GatewayStatus.PAID: (S.PAID, EventKind.INVOICE_PAID),
    GatewayStatus.VOID: (S.VOIDED, EventKind.INVOICE_VOIDED),
    GatewayStatus.UNCOLLECTIBLE: (S.UNCOLLECTIBLE, EventKind.INVOICE_UNCOLLECTIBLE),
}


def settle(external_id: str, state: GatewayInvoice, *, real_now: datetime, gateway: str = "stripe") -> str:
    """Bring our invoice to the gateway's state. Telling it the same twice changes nothing.

    Returns why nothing was done, or an empty string. Raises ``StillIssuing``.
    """
    with transaction.atomic():
        rows = Invoice.objects.select_for_update(of=("self",)).select_related("vendor", "customer")
        invoice = rows.filter(gateway=gateway, external_invoice_id=external_id).first()
        if invoice is None:
            return "No invoice of ours has this id."
        if invoice.issue_attempts.filter(state=AttemptState.SENDING).exists():
            raise StillIssuing(f"{invoice} is being issued at this moment.")
        news = _record_payments(invoice, state)
        if copy_tax(invoice, state.tax):
            keep_document(invoice, policy_for(invoice.customer), invoice.vendor.now(real_now))
        _copy_facts(invoice, state, invoice.vendor.now(real_now))
        return _follow(invoice, state, news, real_now)


def _record_payments(invoice: Invoice, state: GatewayInvoice) -> list[GatewayPayment]:
    """Write down the attempts we did not know of yet, and return them."""
    known = set(invoice.payments.values_list("external_id", flat=True))
    news = [payment for payment in state.payments if payment.external_id not in known]
    Payment.objects.bulk_create([_payment(invoice, payment) for payment in news])
    return news


def _payment(invoice: Invoice, payment: GatewayPayment) -> Payment:
    return Payment(
        invoice=invoice,
        state=Payment.State.SUCCEEDED if payment.succeeded else Payment.State.FAILED,
        amount=payment.amount,
        method=payment.method,
        external_id=payment.external_id,
        error_code=payment.error_code,
        error=payment.error,
        occurred_at=payment.occurred_at,
    )


def _copy_facts(invoice: Invoice, state: GatewayInvoice, now: datetime) -> None:
    """What the gateway alone decides, copied whatever the status."""
    paid_by = next((p.external_id for p in state.payments if p.succeeded), "")
    facts: dict[str, Any] = {
        "external_invoice_number": state.number or invoice.external_invoice_number,
        "hosted_url": state.hosted_url or invoice.hosted_url,
        "external_payment_id": paid_by or invoice.external_payment_id,
        "amount_paid": state.amount_paid if state.status != GatewayStatus.DRAFT else invoice.amount_paid,
        "due_date": state.due_date or invoice.due_date,
        "latest_payment_attempt_at": max((p.occurred_at for p in state.payments), default=None),
        "payment_retry_attempt": sum(not p.succeeded for p in state.payments),
    }
    if facts["due_date"] != invoice.due_date and invoice.state in OPEN:
        facts["next_reminder_at"] = now
    Invoice.objects.filter(pk=invoice.pk).update(**facts)
    for name, value in facts.items():
        setattr(invoice, name, value)


def _follow(invoice: Invoice, state: GatewayInvoice, news: list[GatewayPayment], real_now: datetime) -> str:
    now = invoice.vendor.now(real_now)
    if state.status in STATUS_OF:
        to, kind = STATUS_OF[state.status]
        return _move(invoice, to, kind, state, now=now, real_now=real_now)
    failures = [payment for payment in news if not payment.succeeded]
    if failures and state.status == GatewayStatus.OPEN:
        return _payment_failed(invoice, failures[-1], now=now, real_now=real_now)
    return ""


def _move(
    invoice: Invoice, to: InvoiceStatus, kind: EventKind, state: GatewayInvoice, *, now: datetime, real_now: datetime
) -> str:
    if invoice.state == to:
        return ""
    if to not in TRANSITIONS[invoice.state]:
        return f"Ours is {invoice.state.label.lower()}, Stripe's {state.status}: left alone."
    columns: dict[str, Any] = {"next_action": InvoiceAction.NONE, "next_action_at": None}
    if to == S.PAID:
        paid = [p.occurred_at for p in state.payments if p.succeeded]
        columns |= {"paid_at": max(paid, default=now), "payment_error": "", "status_error": ""}
    if to == S.VOIDED:
        columns["voided_at"] = now
    transition(invoice, to, kind, actor=STRIPE, now=now, real_now=real_now, **columns)
    return ""


def _payment_failed(invoice: Invoice, failure: GatewayPayment, *, now: datetime, real_now: datetime) -> str:
    details = {
        "error": failure.error,
        "code": failure.error_code,
        "method": failure.method,
        "payment_id": failure.external_id,
    }
    kind = EventKind.INVOICE_PAYMENT_FAILED
    if invoice.state == S.PAYMENT_FAILED:
        Invoice.objects.filter(pk=invoice.pk).update(payment_error=failure.error)
        note_fact(invoice, kind, actor=STRIPE, now=now, real_now=real_now, details=details)
        return ""
    if S.PAYMENT_FAILED not in TRANSITIONS[invoice.state]:
        return f"Ours is {invoice.state.label.lower()}: the failed payment was only written down."
    transition(
        invoice,
        S.PAYMENT_FAILED,
        kind,
        actor=STRIPE,
        now=now,
        real_now=real_now,
        details=details,
        payment_error=failure.error,
    )
    return ""
