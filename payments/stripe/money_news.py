"""News of money that goes back: refunds, whoever made them, and disputes; and of credit notes, which take from what
is due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from invoicing.invoices import disputes, refunds
from invoicing.invoices.collection import settle
from invoicing.invoices.models import Invoice
from payments.stripe import mapping
from payments.stripe.charge_news import settle_intent
from payments.stripe.client import client_for
from payments.stripe.invoice_news import FOREIGN_INVOICE, is_being_issued, present_state
from payments.stripe.models import StripeConnection, StripeEvent
from payments.stripe.news import Wait, subject

FOREIGN_PAYMENT = "The payment was not made for an invoice of ours."


def look_at_refund(connection: StripeConnection, events: Sequence[StripeEvent], real_now: datetime) -> str:
    refund = client_for(connection).retrieve_refund(events[-1].object_id)
    return _follow_refunds(connection, refund.get("charge"), refund.get("payment_intent"), [refund], real_now)


def look_at_refunded_charge(connection: StripeConnection, events: Sequence[StripeEvent], real_now: datetime) -> str:
    charge = events[-1].object_id
    made = client_for(connection).list_refunds({"charge": charge})
    intent = made[0].get("payment_intent") if made else None
    return _follow_refunds(connection, charge, intent, made, real_now)


def look_at_dispute(connection: StripeConnection, events: Sequence[StripeEvent], real_now: datetime) -> str:
    dispute = client_for(connection).retrieve_dispute(events[-1].object_id)
    charge, intent = mapping.id_of(dispute.get("charge")), mapping.id_of(dispute.get("payment_intent"))
    invoice = invoice_paid_by(connection, charge, intent, real_now)
    if invoice is None:
        return FOREIGN_PAYMENT
    disputes.settle(invoice, mapping.gateway_dispute(dispute), real_now=real_now)
    return ""


def look_at_credit_note(connection: StripeConnection, events: Sequence[StripeEvent], real_now: datetime) -> str:
    """What it changes shows on its invoice; what it gives back is told by its refunds."""
    invoice = mapping.id_of(subject(events[-1]).get("invoice"))
    known = Invoice.objects.of(connection.vendor).filter(external_invoice_id=invoice).first() if invoice else None
    if known is None:
        return FOREIGN_INVOICE
    return settle(invoice, present_state(connection, invoice), real_now=real_now)


def _follow_refunds(
    connection: StripeConnection, charge: str | None, intent: str | None, made: list[dict[str, Any]], real_now: datetime
) -> str:
    invoice = invoice_paid_by(connection, charge, intent, real_now)
    if invoice is None:
        return FOREIGN_PAYMENT
    refunds.settle(invoice, [mapping.gateway_refund(refund) for refund in made], real_now=real_now)
    return ""


def invoice_paid_by(
    connection: StripeConnection, charge: str | None, intent: str | None, real_now: datetime
) -> Invoice | None:
    """By the payment we know, else Stripe is asked: news of the payment itself may still be on its way."""
    mine = Invoice.objects.of(connection.vendor)
    if charge and (known := mine.filter(payments__external_id=charge).first()):
        return known
    paid = client_for(connection).list_invoice_payments(intent) if intent else []
    invoice = mine.filter(external_invoice_id__in=[entry["invoice"] for entry in paid]).first()
    if invoice is not None:
        if is_being_issued(invoice):
            raise Wait("The invoice is being issued at this moment.")
        settle(invoice.external_invoice_id, present_state(connection, invoice.external_invoice_id), real_now=real_now)
    elif intent and not paid:
        invoice = settle_intent(connection, intent, real_now)
    return invoice
