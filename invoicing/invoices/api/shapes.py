"""Invoices on the wire."""

from __future__ import annotations

from typing import Any

from customers.money import format_money
from invoicing.invoices.lifecycle import available_actions
from invoicing.invoices.models import Invoice, LineItem, Refund
from invoicing.invoices.pdf import pdf_url
from invoicing.invoices.states import InvoiceStatus

# Shown under their own names.
_AS_STORED = (
    "status",
    "status_error",
    "is_approved",
    "invoicing_error",
    "payment_error",
    "invoice_retry_attempt",
    "payment_retry_attempt",
    "latest_invoice_attempt_at",
    "latest_payment_attempt_at",
    "sub_total",
    "discount_credit",
    "tax_amount",
    "amount_due",
    "amount_paid",
    "amount_remaining",
    "amount_refunded",
    "currency",
    "due_date",
    "issue_date",
    "min_item_start_time",
    "max_item_end_time",
    "memo",
    "external_invoice_id",
    "external_invoice_number",
    "external_payment_id",
    "next_action_at",
)


def invoice_shape(invoice: Invoice) -> dict[str, Any]:
    """``customer`` and ``line_items`` should be loaded where many are shown."""
    return {
        "id": str(invoice.uuid),
        "number": invoice.number or None,
        "customer_name": invoice.customer.name,
        **{name: getattr(invoice, name) for name in _AS_STORED},
        "status_description": invoice.state.label,
        "is_invoiced": invoice.issued_at is not None,
        "is_paid": invoice.state == InvoiceStatus.PAID,
        "start_time": invoice.period_start,
        "end_time": invoice.period_end,
        "pdf_url": pdf_url(invoice),
        "hosted_invoice_url": invoice.hosted_url or None,
        "next_action": invoice.next_action or None,
        "last_error": invoice.last_error,
        "available_actions": [str(verb) for verb in available_actions(invoice)],
        "refunds": [refund_shape(refund, invoice.currency) for refund in invoice.refunds.all()],
        "line_items": [line_shape(line, invoice.currency) for line in invoice.line_items.all()],
    }


def line_shape(line: LineItem, currency: str) -> dict[str, Any]:
    """``price_int`` is the line's amount in minor units, ``price`` the same for people."""
    return {
        "id": str(line.uuid),
        "name": line.name,
        "description": line.description,
        "quantity": _number(line.quantity),
        "quantity_unit": line.quantity_unit,
        "unit_price": None if line.unit_price is None else f"{line.unit_price.normalize():f}",
        "price": format_money(line.amount, currency),
        "price_int": line.amount,
        "item_type": line.kind,
        "start_time": line.start_time,
        "end_time": line.end_time,
        "metadata": line.metadata,
    }


def refund_shape(refund: Refund, currency: str) -> dict[str, Any]:
    """``amount`` is in minor units."""
    return {
        "id": str(refund.uuid),
        "status": refund.state,
        "amount": refund.amount,
        "currency": currency,
        "reason": refund.reason,
        "error": refund.error,
        "external_refund_id": refund.external_id,
        "created_at": refund.created_at,
    }


def _number(quantity: Any) -> int | float | None:
    if quantity is None:
        return None
    return int(quantity) if quantity == quantity.to_integral_value() else float(quantity)


def past_invoice_shape(invoice: Invoice) -> dict[str, Any]:
    """A row of the list."""
    return {
        "id": str(invoice.uuid),
        "number": invoice.number or None,
        "customer_name": invoice.customer.name,
        "amount_due": invoice.amount_due,
        "currency": invoice.currency,
        "due_date": invoice.due_date,
        "issue_date": invoice.issue_date,
        "status": invoice.status,
        "status_description": invoice.state.label,
        "export_url": pdf_url(invoice),
    }
