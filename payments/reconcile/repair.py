"""Repairing a difference: Stripe is asked for the object and its present state applied, as news of it would be.

Nothing is written here but the outcome. A difference counts as repaired when it is there no more.
"""

from __future__ import annotations

import logging
from datetime import datetime

from invoicing.gateways import GatewayError, GatewayRejected
from invoicing.invoices.models import Invoice, Refund
from invoicing.invoices.states import OPEN
from payments.reconcile import disputes, invoices, parties, payments
from payments.reconcile.findings import Findings, Kind
from payments.reconcile.look import look
from payments.reconcile.models import Difference
from payments.stripe.client import client_for
from payments.stripe.models import StripeCustomer
from payments.stripe.news import Wait

logger = logging.getLogger(__name__)

PARTIES = {Kind.CUSTOMER_DELETED, Kind.METHODS}
REFUNDS = {Kind.REFUND_UNKNOWN, Kind.REFUND_STATE}
DISPUTES = {Kind.DISPUTE_UNKNOWN, Kind.DISPUTE_STATE}
STANDS = "Stripe was asked again, and the difference still stands."


def repair(difference: Difference, *, real_now: datetime) -> bool:
    """True when it is gone afterwards; otherwise ``last_error`` says why not."""
    try:
        reason = look(difference.connection, difference.look, real_now=real_now) if difference.look else ""
        left = _again(difference).of(difference.external_id)
    except (GatewayError, Wait) as error:
        return _failed(difference, str(error))
    except Exception as error:
        logger.exception("%s could not be repaired", difference)
        return _failed(difference, f"{type(error).__name__}: {error}")
    if left is not None and left.kind == difference.kind:
        return _failed(difference, " ".join(part for part in (reason or STANDS, left.advice) if part))
    Difference.objects.filter(pk=difference.pk).update(repaired_at=real_now, last_error="")
    return True


def _failed(difference: Difference, why: str) -> bool:
    Difference.objects.filter(pk=difference.pk).update(last_error=why)
    return False


def _again(difference: Difference) -> Findings:
    """Compare this one object once more."""
    connection, kind = difference.connection, Kind(difference.kind)
    client, pk = client_for(connection), difference.external_id
    if kind in PARTIES:
        linked = StripeCustomer.objects.of(difference.vendor).filter(connection=connection, external_id=pk)
        linked = linked.filter(state=StripeCustomer.State.LINKED).prefetch_related("payment_methods")
        return parties.compare_customers(client, list(linked))
    if kind in REFUNDS:
        return payments.compare_refunds(connection, [client.retrieve_refund(pk)], None)
    if kind in DISPUTES:
        return disputes.compare(connection, [client.retrieve_dispute(pk)])
    if kind == Kind.REFUND_MISSING:
        return _refund_again(difference)
    if kind == Kind.PAYMENT_UNKNOWN:
        return payments.compare_charges(connection, [client.retrieve_charge(pk)], None)
    return _invoice_again(difference)


def _refund_again(difference: Difference) -> Findings:
    client = client_for(difference.connection)
    try:
        return payments.compare_refunds(difference.connection, [client.retrieve_refund(difference.external_id)], None)
    except GatewayRejected as error:
        if error.code != "resource_missing":
            raise
    mine = Refund.objects.filter(invoice__vendor=difference.vendor, external_id=difference.external_id)
    return Findings(found=[payments.missing_refund(row) for row in mine.select_related("invoice")])


def _invoice_again(difference: Difference) -> Findings:
    client = client_for(difference.connection)
    try:
        return invoices.compare(
            difference.connection, [client.retrieve_invoice(difference.external_id, expand=["payments"])]
        )
    except GatewayRejected as error:
        if error.code != "resource_missing":
            raise
    rows = Invoice.objects.of(difference.vendor).filter(external_invoice_id=difference.external_id)
    gone = [invoice for invoice in rows if invoice.state in OPEN]
    return Findings(found=[invoices.missing(invoice) for invoice in gone])
