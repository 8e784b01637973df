"""Refunds: asked for here or made at the gateway, in one or several parts, never more than was collected.

``refund`` writes down what is wanted; the invoice's next step (``carry_out``) asks the gateway, with the
refund's own key, so that a lost answer is asked for again and the money goes back once. ``settle`` writes
down what the gateway says, as an answer or as news.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import transaction

from customers.actors import STRIPE, Actor
from customers.errors import Conflict, Invalid
from customers.events.models import EventKind
from customers.events.record import record
from customers.money import format_money
from invoicing.gateways import GatewayRefund, GatewayRejected, PaymentGateway, RefundStatus, get_gateway
from invoicing.invoices.charge_attempts import ChargeAttempt
from invoicing.invoices.ledger import Refund
from invoicing.invoices.lifecycle import invoice_fact, locked
from invoicing.invoices.models import Invoice
from invoicing.invoices.outbox import tell_of_refund
from invoicing.invoices.states import InvoiceAction
from invoicing.invoices.verbs import InvoiceVerb, check

State = Refund.State

STATE_OF = {
    RefundStatus.PENDING: State.PENDING,
    RefundStatus.SUCCEEDED: State.SUCCEEDED,
    RefundStatus.FAILED: State.FAILED,
}
TOLD = {State.SUCCEEDED: EventKind.INVOICE_REFUNDED, State.FAILED: EventKind.INVOICE_REFUND_FAILED}


def refund(invoice: Invoice, amount: int, *, actor: Actor, reason: str, now: datetime, real_now: datetime) -> Refund:
    """Give back this much of a paid invoice. The gateway is asked by the invoice's next step, at once."""
    with transaction.atomic():
        invoice = locked(invoice)
        check(invoice, InvoiceVerb.REFUND)
        _check_free(invoice)
        _check_amount(invoice, amount)
        row = _write(invoice, amount, actor, now, reason=reason)
        invoice.next_action, invoice.next_action_at = InvoiceAction.REFUND, now
        invoice.save(update_fields=["next_action", "next_action_at"])
        tell(row, EventKind.INVOICE_REFUND_STARTED, now=now, real_now=real_now)
    return row


def _check_free(invoice: Invoice) -> None:
    if invoice.next_action not in (InvoiceAction.NONE, InvoiceAction.REFUND):
        raise Conflict(f"{invoice} waits for another step. Try again when that is done.", code="busy")


def _check_amount(invoice: Invoice, amount: int) -> None:
    if not 0 < amount <= invoice.amount_refundable:
        most = format_money(invoice.amount_refundable, invoice.currency)
        raise Invalid({"amount": f"Give an amount above zero and at most {most}, which is what can still be refunded."})


def _write(
    invoice: Invoice, amount: int, actor: Actor, at: datetime, *, reason: str = "", external_id: str | None = None
) -> Refund:
    return Refund.objects.create(
        invoice=invoice,
        amount=amount,
        reason=reason,
        external_id=external_id,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_label=actor.label,
        created_at=at,
    )


def carry_out(invoice: Invoice, *, real_now: datetime) -> None:
    """Ask the gateway for every refund that is wanted. Raises ``GatewayUnavailable``; the step is then repeated."""
    gateway, account, paid = _collected_by(invoice)
    for row in invoice.refunds.filter(state=State.SENDING).order_by("pk"):
        try:
            made = gateway.refund(
                account,
                paid,
                row.amount,
                reference=str(row.uuid),
                idempotency_key=row.idempotency_key,
            )
        except GatewayRejected as error:
            _refused(row, error.message, real_now)
        else:
            settle(invoice, [made], real_now=real_now)
    _done(invoice)


def _collected_by(invoice: Invoice) -> tuple[PaymentGateway, str, str]:
    """Who has the money, in which account, and for what: the gateway's invoice, or a charge of ours."""
    if invoice.gateway:
        return get_gateway(invoice.gateway), invoice.gateway_account, invoice.external_invoice_id
    charge = invoice.charge_attempts.filter(state=ChargeAttempt.State.SUCCEEDED).latest("number")
    return get_gateway(charge.gateway), charge.account, charge.external_id


def _done(invoice: Invoice) -> None:
    """Nothing more to do, unless another refund was asked for meanwhile."""
    with transaction.atomic():
        invoice = locked(invoice)
        is_mine = invoice.next_action == InvoiceAction.REFUND
        if is_mine and not invoice.refunds.filter(state=State.SENDING).exists():
            invoice.next_action, invoice.next_action_at = InvoiceAction.NONE, None
        invoice.last_error = ""
        invoice.claim_token = invoice.claimed_until = None
        invoice.save(update_fields=["next_action", "next_action_at", "last_error", "claim_token", "claimed_until"])


def _refused(row: Refund, why: str, real_now: datetime) -> None:
    with transaction.atomic():
        invoice = locked(row.invoice)
        row = Refund.objects.select_for_update().get(pk=row.pk)
        if row.state == State.SENDING:
            _move(row, invoice, State.FAILED, why, real_now)


def settle(invoice: Invoice, made: Iterable[GatewayRefund], *, real_now: datetime) -> None:
    """Write down the present state of refunds at the gateway. Told the same twice, it changes nothing."""
    with transaction.atomic():
        invoice = locked(invoice)
        for one in made:
            row = _ours(invoice, one) or _write(
                invoice, one.amount, STRIPE, one.occurred_at, external_id=one.external_id
            )
            if row.external_id != one.external_id:
                row.external_id = one.external_id
                row.save(update_fields=["external_id"])
            if row.state != STATE_OF[one.status]:
                _move(row, invoice, STATE_OF[one.status], one.error, real_now)


def _ours(invoice: Invoice, one: GatewayRefund) -> Refund | None:
    if known := invoice.refunds.filter(external_id=one.external_id).first():
        return known
    try:
        return invoice.refunds.filter(uuid=UUID(one.reference), external_id=None).first()
    except ValueError:
        return None


def _move(row: Refund, invoice: Invoice, state: Refund.State, error: str, real_now: datetime) -> None:
    row.state, row.error, row.invoice = state, error, invoice
    row.save(update_fields=["state", "error"])
    if state in TOLD:
        tell(row, TOLD[state], now=invoice.vendor.now(real_now), real_now=real_now)
    if state == State.SUCCEEDED:
        tell_of_refund(row, now=invoice.vendor.now(real_now))


def tell(row: Refund, kind: EventKind, *, now: datetime, real_now: datetime) -> None:
    invoice = row.invoice
    amount = format_money(row.amount, invoice.currency)
    details = {"note": f"{amount}.", "reason": row.reason, "error": row.error, "refund": str(row.uuid)}
    fact = invoice_fact(invoice, kind, {name: text for name, text in details.items() if text})
    money = {"refund_id": str(row.uuid), "amount": row.amount, "currency": invoice.currency}
    total = {"amount_refunded": Invoice.objects.get(pk=invoice.pk).amount_refunded}
    fact = replace(fact, payload={**fact.payload, **money, **total})
    record(invoice.vendor, fact, actor=row.actor, now=now, real_now=real_now)
