"""The attempts to collect an invoice, written down as the gateway tells of them; and whom they wait for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from invoicing.gateways import GatewayInvoice, GatewayPayment, GatewayStatus, Waiting
from invoicing.invoices.ledger import Payment
from invoicing.invoices.models import Invoice

State = Payment.State

WAITING = (State.PENDING, State.ACTION_REQUIRED)


def record_payments(invoice: Invoice, state: GatewayInvoice) -> list[GatewayPayment]:
    """Write down the attempts that are new or have changed, and return them, oldest first."""
    known = {row.external_id: row for row in invoice.payments.all()}
    news = []
    for payment in state.payments:
        row = known.get(payment.external_id) or _waited_for(known, payment)
        if row is None:
            known[payment.external_id] = _new(invoice, payment)
        elif row.state == state_of(payment) and row.external_id == payment.external_id:
            continue
        else:
            known.pop(row.external_id, None)
            known[payment.external_id] = _changed(row, payment)
        news.append(payment)
    if state.status in (GatewayStatus.PAID, GatewayStatus.VOID):
        invoice.payments.filter(state__in=WAITING).update(state=State.FAILED, error="It was not completed.")
    return news


def record_payment(invoice: Invoice, payment: GatewayPayment) -> bool:
    """The same for one attempt; False where it is known as it is."""
    row = invoice.payments.filter(external_id=payment.external_id).first()
    if row is not None and row.state == state_of(payment):
        return False
    if row is None:
        _new(invoice, payment)
    else:
        _changed(row, payment)
    return True


def _waited_for(known: dict[str | None, Payment], payment: GatewayPayment) -> Payment | None:
    """The row of an attempt that waited for the customer, and that this one completes."""
    row = known.get(payment.intent) if payment.intent else None
    return row if row is not None and row.state in WAITING else None


def state_of(payment: GatewayPayment) -> Payment.State:
    match payment.waiting:
        case Waiting.BANK:
            return State.PENDING
        case Waiting.CUSTOMER:
            return State.ACTION_REQUIRED
    return State.SUCCEEDED if payment.succeeded else State.FAILED


def _columns(payment: GatewayPayment) -> dict[str, Any]:
    return {
        "state": state_of(payment),
        "amount": payment.amount,
        "method": payment.method,
        "external_id": payment.external_id,
        "error_code": payment.error_code,
        "error": payment.error,
        "occurred_at": payment.occurred_at,
    }


def _new(invoice: Invoice, payment: GatewayPayment) -> Payment:
    return Payment.objects.create(invoice=invoice, **_columns(payment))


def _changed(row: Payment, payment: GatewayPayment) -> Payment:
    for name, value in _columns(payment).items():
        setattr(row, name, value)
    row.save(update_fields=list(_columns(payment)))
    return row


def tried(invoice: Invoice) -> list[Payment]:
    """Every attempt to collect, oldest first."""
    return sorted(invoice.payments.filter(is_by_hand=False), key=lambda row: (row.occurred_at, row.pk))


def write_by_hand(invoice: Invoice, amount: int, means: str, reference: str, at: datetime) -> Payment:
    """Money that came outside the gateway. The invoice is locked; its own columns are the caller's."""
    return Payment.objects.create(
        invoice=invoice,
        state=State.SUCCEEDED,
        amount=amount,
        excess=max(amount - invoice.amount_remaining, 0),
        method=means,
        reference=reference,
        is_by_hand=True,
        occurred_at=at,
    )


def overpaid(invoice: Invoice, state: GatewayInvoice) -> int:
    """What came beyond what was due, from both sides together: the gateway knows nothing of payments by hand, and may
    have collected while one was written down."""
    came = list(invoice.payments.filter(state=State.SUCCEEDED).values_list("amount", "is_by_hand"))
    if not any(is_by_hand for _, is_by_hand in came):
        return state.amount_overpaid
    due = invoice.amount_due - state.amount_credited - state.amount_from_balance
    return max(state.amount_overpaid, sum(amount for amount, _ in came) - max(due, 0))
