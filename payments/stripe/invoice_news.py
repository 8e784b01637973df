"""News of an invoice: its present state is fetched and settled with ours."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from invoicing.gateways import GatewayInvoice, GatewayRejected
from invoicing.invoices.collection import StillIssuing, settle
from invoicing.invoices.models import AttemptState, Channel, Invoice, IssueAttempt
from invoicing.invoices.states import BEFORE_ISSUE
from payments.stripe import imported, mapping, reading
from payments.stripe.client import client_for
from payments.stripe.models import StripeConnection, StripeEvent
from payments.stripe.news import Wait, subject

FOREIGN_INVOICE = "The invoice was not made here."
REPLACED = "Another Stripe invoice stands for our invoice."
UNISSUED = "Our invoice is not issued: drafts that come and go before that change nothing."


def look_at_invoice(connection: StripeConnection, events: Sequence[StripeEvent], real_now: datetime) -> str:
    external_id = events[-1].object_id
    invoice = _our_invoice(connection, events)
    if invoice is None:
        return "" if imported.follow(connection, external_id, real_now=real_now) else FOREIGN_INVOICE
    if is_being_issued(invoice):
        raise Wait("The invoice is being issued at this moment.")
    if invoice.state in BEFORE_ISSUE:
        return UNISSUED
    if invoice.external_invoice_id != external_id:
        return REPLACED
    state = present_state(connection, external_id)
    try:
        return settle(external_id, state, real_now=real_now)
    except StillIssuing as error:
        raise Wait(error.message) from error


def _our_invoice(connection: StripeConnection, events: Sequence[StripeEvent]) -> Invoice | None:
    """By its id at Stripe, else by our own in its metadata: an event may be faster than our record of the call."""
    mine = Invoice.objects.of(connection.vendor)
    if known := mine.filter(external_invoice_id=events[-1].object_id).first():
        return known
    named = subject(events[-1]).get("metadata") or {}
    try:
        return mine.filter(uuid=uuid.UUID(named.get("portal_invoice", ""))).first()
    except (AttributeError, TypeError, ValueError):
        return None


def is_being_issued(invoice: Invoice) -> bool:
    open_attempts = (AttemptState.SENDING, AttemptState.UNKNOWN)
    return IssueAttempt.objects.filter(invoice=invoice, channel=Channel.GATEWAY, state__in=open_attempts).exists()


def present_state(connection: StripeConnection, external_id: str) -> GatewayInvoice:
    try:
        return reading.fetch(client_for(connection), external_id)
    except GatewayRejected as error:
        if error.code == "resource_missing":
            return mapping.deleted_invoice(external_id)
        raise
