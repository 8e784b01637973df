"""Invoices on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, TypedDict

from customers.money import format_money
from invoicing.invoices.ledger import Dispute, DisputeState, Payment, Refund
from invoicing.invoices.links import open_page_url, pdf_url
from invoicing.invoices.models import Invoice, LineItem, LineItemKind
from invoicing.invoices.states import InvoiceStatus
from invoicing.invoices.verbs import InvoiceVerb, available_actions


class LineItemAnswer(TypedDict):
    id: str
    name: str
    description: str
    quantity: float | None
    quantity_unit: str
    unit_price: Annotated[str | None, "Minor units, may be fractional."]
    price: Annotated[str, "The line's amount, for people."]
    price_int: Annotated[int, "The line's amount in minor units."]
    item_type: LineItemKind
    start_time: datetime
    end_time: datetime
    metadata: dict[str, Any]


class RefundAnswer(TypedDict):
    id: str
    status: Refund.State
    amount: Annotated[int, "Minor units."]
    currency: str
    reason: str
    error: str
    external_refund_id: str | None
    created_at: datetime


class PaymentAnswer(TypedDict):
    status: Payment.State
    amount: Annotated[int, "Minor units."]
    method: Annotated[str, "For example: Visa ending in 4242."]
    reference: Annotated[str, "Of a payment recorded by hand."]
    is_by_hand: Annotated[bool, "Recorded by a person: the money came outside Stripe."]
    external_payment_id: str | None
    error_code: str
    error: str
    occurred_at: datetime


class DisputeAnswer(TypedDict):
    id: str
    status: DisputeState
    is_inquiry: Annotated[bool, "A question that comes before money moves."]
    amount: Annotated[int, "Minor units."]
    reason: str
    due_by: Annotated[datetime | None, "Until when the bank takes an answer."]
    external_dispute_id: str
    opened_at: datetime
    closed_at: datetime | None


class InvoiceStateAnswer(TypedDict):
    id: str
    number: Annotated[str | None, "Given when it is issued."]
    customer_name: str
    status: InvoiceStatus
    status_description: str
    status_error: str
    is_approved: bool
    approval_reason: Annotated[str, "Why it waits for a person's approval; empty where it does not."]
    is_invoiced: bool
    is_paid: bool
    invoicing_error: str
    payment_error: str
    invoice_retry_attempt: int
    payment_retry_attempt: int
    latest_invoice_attempt_at: datetime | None
    latest_payment_attempt_at: datetime | None


class InvoiceAmountsAnswer(TypedDict):
    sub_total: int
    discount_credit: Annotated[int, "Credits applied."]
    tax_amount: int
    tax_inclusive: Annotated[bool, "Whether the prices contain the tax: then `amount_due` is not raised by it."]
    amount_due: Annotated[int, "The total after credits. Payments do not lower it."]
    amount_paid: int
    amount_remaining: int
    amount_credited: Annotated[int, "Taken off by Stripe's credit notes before it was paid."]
    amount_from_balance: Annotated[int, "Covered by the customer's balance in Stripe; negative: added to it."]
    amount_overpaid: Annotated[
        int, "Paid beyond what was due. What Stripe collected of it is the customer's credit there."
    ]
    amount_disputed: Annotated[int, "What a bank holds or took for good, because of disputes."]
    amount_refunded: Annotated[int, "What went back to the customer, or is on its way there."]
    currency: str


class InvoiceTimesAnswer(TypedDict):
    due_date: datetime | None
    issue_date: Annotated[datetime, "When it was issued, or is going to be."]
    start_time: Annotated[datetime, "Of the billing cycle."]
    end_time: Annotated[datetime, "Of the billing cycle; exclusive."]
    min_item_start_time: datetime
    max_item_end_time: datetime


class InvoicePlacesAnswer(TypedDict):
    memo: str
    external_invoice_id: str
    external_invoice_number: str
    external_payment_id: str
    hosted_invoice_url: str | None
    page_url: Annotated[str | None, "The invoice as a page for its customer, who needs no sign-in. From its issue on."]
    pdf_url: Annotated[str, "Opens the PDF without an API key."]


class InvoiceNextAnswer(TypedDict):
    next_action: Annotated[str | None, "What happens next by itself, or awaits a person."]
    next_action_at: datetime | None
    paused_at: Annotated[datetime | None, "Since when a person holds it back."]
    paused_by: str
    pause_reason: str
    last_error: Annotated[str, "Why the next action did not succeed so far; empty where nothing went wrong."]
    available_actions: list[InvoiceVerb]


class InvoiceAnswer(
    InvoiceStateAnswer, InvoiceAmountsAnswer, InvoiceTimesAnswer, InvoicePlacesAnswer, InvoiceNextAnswer
):
    """Amounts are minor units of ``currency``."""

    payments: Annotated[list[PaymentAnswer], "Every attempt to collect it, newest first."]
    refunds: list[RefundAnswer]
    disputes: list[DisputeAnswer]
    line_items: list[LineItemAnswer]


class PastInvoiceAnswer(TypedDict):
    id: str
    number: str | None
    customer_name: str
    amount_due: Annotated[int, "Minor units."]
    currency: str
    due_date: datetime | None
    issue_date: datetime
    status: InvoiceStatus
    status_description: str
    export_url: Annotated[str, "Opens the PDF without an API key."]


class PastInvoicesAnswer(TypedDict):
    """A page. Pass the two offsets back for the next one; null: this was the last."""

    invoices: list[PastInvoiceAnswer]
    limit: int
    sort_column: str
    sort_direction: str
    forward_sort_offset: str | None
    forward_secondary_sort_offset: str | None


def invoice_shape(invoice: Invoice) -> InvoiceAnswer:
    """``customer`` and ``line_items`` should be loaded where many are shown, and what was paid and refunded
    of those that were."""
    refunds = invoice.refunds.all() if invoice.amount_paid else ()
    payments = invoice.payments.all() if invoice.was_tried else ()
    disputes = invoice.disputes.all() if invoice.dispute_state else ()
    return {
        **_state(invoice),
        **_amounts(invoice),
        **_times(invoice),
        **_places(invoice),
        **_next(invoice),
        "payments": [payment_shape(payment) for payment in payments],
        "refunds": [refund_shape(refund, invoice.currency) for refund in refunds],
        "disputes": [dispute_shape(dispute) for dispute in disputes],
        "line_items": [line_shape(line, invoice.currency) for line in invoice.line_items.all()],
    }


def _state(invoice: Invoice) -> InvoiceStateAnswer:
    return {
        "id": str(invoice.uuid),
        "number": invoice.number or None,
        "customer_name": invoice.customer.name,
        "status": invoice.state,
        "status_description": invoice.state.label,
        "status_error": invoice.status_error,
        "is_approved": invoice.is_approved,
        "approval_reason": invoice.approval_reason,
        "is_invoiced": invoice.issued_at is not None,
        "is_paid": invoice.state == InvoiceStatus.PAID,
        "invoicing_error": invoice.invoicing_error,
        "payment_error": invoice.payment_error,
        "invoice_retry_attempt": invoice.invoice_retry_attempt,
        "payment_retry_attempt": invoice.payment_retry_attempt,
        "latest_invoice_attempt_at": invoice.latest_invoice_attempt_at,
        "latest_payment_attempt_at": invoice.latest_payment_attempt_at,
    }


def _amounts(invoice: Invoice) -> InvoiceAmountsAnswer:
    return {
        "sub_total": invoice.sub_total,
        "discount_credit": invoice.discount_credit,
        "tax_amount": invoice.tax_amount,
        "tax_inclusive": invoice.tax_inclusive,
        "amount_due": invoice.amount_due,
        "amount_paid": invoice.amount_paid,
        "amount_remaining": invoice.amount_remaining,
        "amount_credited": invoice.amount_credited,
        "amount_from_balance": invoice.amount_from_balance,
        "amount_overpaid": invoice.amount_overpaid,
        "amount_disputed": invoice.amount_disputed,
        "amount_refunded": invoice.amount_refunded,
        "currency": invoice.currency,
    }


def _times(invoice: Invoice) -> InvoiceTimesAnswer:
    return {
        "due_date": invoice.due_date,
        "issue_date": invoice.issue_date,
        "start_time": invoice.period_start,
        "end_time": invoice.period_end,
        "min_item_start_time": invoice.min_item_start_time,
        "max_item_end_time": invoice.max_item_end_time,
    }


def _places(invoice: Invoice) -> InvoicePlacesAnswer:
    return {
        "memo": invoice.memo,
        "external_invoice_id": invoice.external_invoice_id,
        "external_invoice_number": invoice.external_invoice_number,
        "external_payment_id": invoice.external_payment_id,
        "hosted_invoice_url": invoice.hosted_url or None,
        "page_url": open_page_url(invoice) or None,
        "pdf_url": pdf_url(invoice),
    }


def _next(invoice: Invoice) -> InvoiceNextAnswer:
    return {
        "next_action": invoice.next_action or None,
        "next_action_at": invoice.next_action_at,
        "paused_at": invoice.paused_at,
        "paused_by": invoice.paused_by,
        "pause_reason": invoice.pause_reason,
        "last_error": invoice.last_error,
        "available_actions": available_actions(invoice),
    }


def line_shape(line: LineItem, currency: str) -> LineItemAnswer:
    return {
        "id": str(line.uuid),
        "name": line.name,
        "description": line.description,
        "quantity": _number(line.quantity),
        "quantity_unit": line.quantity_unit,
        "unit_price": None if line.unit_price is None else f"{line.unit_price.normalize():f}",
        "price": format_money(line.amount, currency),
        "price_int": line.amount,
        "item_type": LineItemKind(line.kind),
        "start_time": line.start_time,
        "end_time": line.end_time,
        "metadata": line.metadata,
    }


def refund_shape(refund: Refund, currency: str) -> RefundAnswer:
    return {
        "id": str(refund.uuid),
        "status": Refund.State(refund.state),
        "amount": refund.amount,
        "currency": currency,
        "reason": refund.reason,
        "error": refund.error,
        "external_refund_id": refund.external_id,
        "created_at": refund.created_at,
    }


def payment_shape(payment: Payment) -> PaymentAnswer:
    return {
        "status": Payment.State(payment.state),
        "amount": payment.amount,
        "method": payment.method,
        "reference": payment.reference,
        "is_by_hand": payment.is_by_hand,
        "external_payment_id": payment.external_id,
        "error_code": payment.error_code,
        "error": payment.error,
        "occurred_at": payment.occurred_at,
    }


def dispute_shape(dispute: Dispute) -> DisputeAnswer:
    return {
        "id": str(dispute.uuid),
        "status": DisputeState(dispute.state),
        "is_inquiry": dispute.is_inquiry,
        "amount": dispute.amount,
        "reason": dispute.reason,
        "due_by": dispute.due_by,
        "external_dispute_id": dispute.external_id,
        "opened_at": dispute.opened_at,
        "closed_at": dispute.closed_at,
    }


def _number(quantity: Any) -> int | float | None:
    if quantity is None:
        return None
    return int(quantity) if quantity == quantity.to_integral_value() else float(quantity)


def past_invoice_shape(invoice: Invoice) -> PastInvoiceAnswer:
    """A row of the list."""
    return {
        "id": str(invoice.uuid),
        "number": invoice.number or None,
        "customer_name": invoice.customer.name,
        "amount_due": invoice.amount_due,
        "currency": invoice.currency,
        "due_date": invoice.due_date,
        "issue_date": invoice.issue_date,
        "status": invoice.state,
        "status_description": invoice.state.label,
        "export_url": pdf_url(invoice),
    }
