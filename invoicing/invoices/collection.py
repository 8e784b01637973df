"""News of payment. ``settle`` brings our invoice to the state its counterpart at the gateway is in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction

from customers.actors import STRIPE, Actor
from customers.errors import Refused
from customers.events.models import EventKind
from customers.events.record import record
from customers.money import format_money
from customers.settings.policy import policy_for
from invoicing.gateways import GatewayInvoice, GatewayPayment, GatewayStatus, Waiting
from invoicing.invoices import retries
from invoicing.invoices.ledger import Payment
from invoicing.invoices.lifecycle import invoice_fact, mirror, note_fact, transition
from invoicing.invoices.models import AttemptState, Invoice
from invoicing.invoices.papers import keep_document
from invoicing.invoices.payments import overpaid, record_payments, tried
from invoicing.invoices.states import MIRRORED, OPEN, TRANSITIONS, InvoiceAction, InvoiceStatus
from invoicing.invoices.taxing import copy_tax

S = InvoiceStatus


class StillIssuing(Refused):
    """Our own call is under way; its answer will settle the invoice. Ask again in a moment."""

    code = "still_issuing"


_FIGURES = ("amount_due", "amount_credited", "amount_from_balance")

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
        if _is_older(invoice, state):
            return "What was seen later is known already."
        return _Settling(invoice, state, invoice.vendor.now(real_now), real_now).run()


def _is_older(invoice: Invoice, state: GatewayInvoice) -> bool:
    """Two looks at once may be applied in the wrong order; the later one has the last word."""
    known = invoice.gateway_seen_at
    return state.seen_at is not None and known is not None and state.seen_at < known


class _Settling:
    """One invoice, locked, and what was seen of it at the gateway."""

    def __init__(self, invoice: Invoice, state: GatewayInvoice, now: datetime, real_now: datetime) -> None:
        self.invoice, self.state, self.now = invoice, state, now
        self.by: dict[str, Any] = {"actor": STRIPE, "now": now, "real_now": real_now}
        watched = ("amount_paid", "amount_overpaid", "gateway_status", *_FIGURES)
        self.before = {name: getattr(invoice, name) for name in watched}

    def run(self) -> str:
        news = record_payments(self.invoice, self.state)
        if copy_tax(self.invoice, self.state.tax):
            keep_document(self.invoice, policy_for(self.invoice.customer), self.now)
        self._copy_facts()
        self._tell_of_money()
        self._tell_of_figures()
        reason = self._follow(news)
        self._finalization()
        retries.plan(self.invoice, self.now)
        return reason

    def _copy_facts(self) -> None:
        """What the gateway alone decides, copied whatever the status."""
        invoice, state = self.invoice, self.state
        is_final = state.status != GatewayStatus.DRAFT
        facts: dict[str, Any] = {
            "external_invoice_number": state.number or invoice.external_invoice_number,
            "hosted_url": state.hosted_url or invoice.hosted_url,
            "amount_paid": state.amount_paid if is_final else invoice.amount_paid,
            "amount_credited": state.amount_credited,
            "amount_from_balance": state.amount_from_balance,
            "amount_overpaid": overpaid(invoice, state),
            "due_date": state.due_date or invoice.due_date,
            "gateway_status": state.status,
            "gateway_collection": state.collection or invoice.gateway_collection,
            "gateway_advances": state.retries_itself,
            "gateway_next_attempt_at": state.next_attempt_at,
            "gateway_seen_at": state.seen_at or invoice.gateway_seen_at,
            **_attempts(tried(invoice)),
        }
        if facts["due_date"] != invoice.due_date and invoice.state in OPEN:
            facts["next_reminder_at"] = self.now
        self._write(facts)

    def _write(self, facts: Mapping[str, Any]) -> None:
        Invoice.objects.filter(pk=self.invoice.pk).update(**facts)
        for name, value in facts.items():
            setattr(self.invoice, name, value)

    def _tell_of_money(self) -> None:
        """Part of it was paid, or more than was due."""
        invoice = self.invoice
        is_open = self.state.status in (GatewayStatus.OPEN, GatewayStatus.UNCOLLECTIBLE)
        if is_open and invoice.amount_paid > self.before["amount_paid"]:
            paid_now = invoice.amount_paid - self.before["amount_paid"]
            tell_amount(invoice, EventKind.INVOICE_PARTLY_PAID, paid_now, **self.by)
        if invoice.amount_overpaid > self.before["amount_overpaid"]:
            too_much = invoice.amount_overpaid - self.before["amount_overpaid"]
            tell_amount(invoice, EventKind.INVOICE_OVERPAID, too_much, **self.by)

    def _tell_of_figures(self) -> None:
        """What is to be paid changed there: tax, a credit note, the customer's balance."""
        if any(getattr(self.invoice, name) != self.before[name] for name in _FIGURES):
            note_fact(self.invoice, EventKind.INVOICE_UPDATED, **self.by)

    def _follow(self, news: Sequence[GatewayPayment]) -> str:
        if self.state.status in STATUS_OF:
            return self._move(*STATUS_OF[self.state.status])
        if self._is_reopened():
            return self._reopen()
        failures = [payment for payment in news if not payment.succeeded and payment.waiting != Waiting.BANK]
        if failures and self.state.status == GatewayStatus.OPEN:
            return self._payment_failed(failures[-1])
        return ""

    def _move(self, to: InvoiceStatus, kind: EventKind) -> str:
        invoice, state = self.invoice, self.state
        if invoice.state == to:
            return ""
        is_mirrored = to not in TRANSITIONS[invoice.state]
        if to not in MIRRORED[invoice.state]:
            return f"Ours is {invoice.state.label.lower()}, Stripe's {state.status}: left alone."
        columns: dict[str, Any] = {"next_action": InvoiceAction.NONE, "next_action_at": None, "action_request": {}}
        if to == S.PAID:
            paid = [p.occurred_at for p in state.payments if p.succeeded]
            columns |= {"paid_at": max(paid, default=self.now), "payment_error": "", "status_error": ""}
            columns |= {"retry_advice": "", "voided_at": None}
        if to == S.VOIDED:
            columns |= {"voided_at": self.now, "status_error": ""}
        step = mirror if is_mirrored else transition
        step(invoice, to, kind, **self.by, **columns)
        return ""

    def _is_reopened(self) -> bool:
        """Paid there when last seen, and no longer. Where a person here says that the money came, it did."""
        was_paid = self.invoice.state == S.PAID and self.before["gateway_status"] == GatewayStatus.PAID
        return was_paid and self.state.status == GatewayStatus.OPEN and self.state.seen_at is not None

    def _reopen(self) -> str:
        mirror(self.invoice, S.ISSUED, EventKind.INVOICE_REOPENED, **self.by, paid_at=None)
        return ""

    def _payment_failed(self, failure: GatewayPayment) -> str:
        invoice, kind = self.invoice, EventKind.INVOICE_PAYMENT_FAILED
        details = {
            "error": failure.error,
            "code": failure.error_code,
            "method": failure.method,
            "payment_id": failure.external_id,
        }
        columns: dict[str, Any] = {"payment_error": failure.error, "retry_advice": failure.retry}
        if invoice.state == S.PAYMENT_FAILED:
            self._write(columns)
            note_fact(invoice, kind, **self.by, details=details)
            return ""
        if S.PAYMENT_FAILED not in TRANSITIONS[invoice.state]:
            return f"Ours is {invoice.state.label.lower()}: the failed payment was only written down."
        transition(invoice, S.PAYMENT_FAILED, kind, **self.by, details=details, **columns)
        return ""

    def _finalization(self) -> None:
        """Stripe could not finalize it: told once for each reason; forgotten when it could."""
        if self.invoice.state not in OPEN:
            return
        error = self.state.error if self.state.status == GatewayStatus.DRAFT else ""
        if error == self.invoice.status_error:
            return
        self._write({"status_error": error})
        if error:
            kind, details = EventKind.INVOICE_FINALIZATION_FAILED, {"error": error}
            note_fact(self.invoice, kind, **self.by, details=details)


def tell_amount(
    invoice: Invoice, kind: EventKind, amount: int, note: str = "", *, actor: Actor, now: datetime, real_now: datetime
) -> None:
    words = ", ".join(part for part in (format_money(amount, invoice.currency), note) if part)
    fact = invoice_fact(invoice, kind, {"note": f"{words}."})
    money = {"amount": amount, "currency": invoice.currency, "amount_paid": invoice.amount_paid}
    fact = replace(fact, payload={**fact.payload, **money})
    record(invoice.vendor, fact, actor=actor, now=now, real_now=real_now)


def _attempts(rows: Sequence[Payment]) -> dict[str, Any]:
    """What is shown of the attempts so far."""
    paid_by = [row.external_id for row in rows if row.state == Payment.State.SUCCEEDED]
    facts: dict[str, Any] = {
        "latest_payment_attempt_at": rows[-1].occurred_at if rows else None,
        "payment_retry_attempt": sum(row.state == Payment.State.FAILED for row in rows),
    }
    return {**facts, "external_payment_id": paid_by[0]} if paid_by else facts
