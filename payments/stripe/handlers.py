"""Which event makes us look at what? One table, from event types to a look at the object.

Of an event only ids are used; everything else is asked of Stripe, so that neither the order of events
nor the API version they are written in matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from invoicing.gateways import GatewayUnavailable
from invoicing.invoices.waiting import NOT_CONNECTED
from payments.stripe import connect
from payments.stripe.charge_news import TOLD_BY_INVOICE, look_at_intent
from payments.stripe.customer_news import (
    NOTHING_SAVED,
    look_at_checkout,
    look_at_customer,
    look_at_method,
    look_at_setup_intent,
)
from payments.stripe.invoice_news import look_at_invoice
from payments.stripe.models import StripeConnection, StripeEvent
from payments.stripe.money_news import look_at_credit_note, look_at_dispute, look_at_refund, look_at_refunded_charge
from payments.stripe.news import Handler

STILL_ALLOWED = "The account still lets us act."


# The account


def account_let_go(connection: StripeConnection, events: Sequence[StripeEvent], real_now: datetime) -> str:
    """The vendor disconnected us in Stripe's dashboard. The event may be old, or tell of one of two grants,
    so the account is asked: its refusal ends the connection."""
    try:
        connect.probe(connection, real_now=real_now)
    except GatewayUnavailable as error:
        if error.code == NOT_CONNECTED:
            return ""
        raise
    return STILL_ALLOWED


# The table


def ignoring(reason: str) -> Handler:
    def ignore(connection: StripeConnection, events: Sequence[StripeEvent], real_now: datetime) -> str:
        return reason

    return ignore


_told_by_invoice = ignoring(TOLD_BY_INVOICE)
_nothing_saved = ignoring(NOTHING_SAVED)

HANDLERS: Mapping[str, Handler] = {
    "account.application.deauthorized": account_let_go,
    "customer.deleted": look_at_customer,
    "customer.updated": look_at_customer,
    "invoice.created": look_at_invoice,
    "invoice.deleted": look_at_invoice,
    "invoice.finalization_failed": look_at_invoice,
    "invoice.finalized": look_at_invoice,
    "invoice.marked_uncollectible": look_at_invoice,
    "invoice.overdue": look_at_invoice,
    "invoice.overpaid": look_at_invoice,
    "invoice.paid": look_at_invoice,
    "invoice.payment_action_required": look_at_invoice,
    "invoice.payment_attempt_required": look_at_invoice,
    "invoice.payment_failed": look_at_invoice,
    "invoice.payment_succeeded": look_at_invoice,
    "invoice.sent": look_at_invoice,
    "invoice.updated": look_at_invoice,
    "invoice.voided": look_at_invoice,
    "checkout.session.completed": look_at_checkout,
    "checkout.session.expired": _nothing_saved,
    "payment_method.attached": look_at_method,
    "payment_method.automatically_updated": look_at_method,
    "payment_method.detached": look_at_method,
    "payment_method.updated": look_at_method,
    "setup_intent.canceled": _nothing_saved,
    "setup_intent.created": _nothing_saved,
    "setup_intent.requires_action": _nothing_saved,
    "setup_intent.setup_failed": _nothing_saved,
    "setup_intent.succeeded": look_at_setup_intent,
    "charge.refunded": look_at_refunded_charge,
    "refund.created": look_at_refund,
    "refund.failed": look_at_refund,
    "refund.updated": look_at_refund,
    "charge.dispute.created": look_at_dispute,
    "charge.dispute.updated": look_at_dispute,
    "charge.dispute.closed": look_at_dispute,
    "charge.dispute.funds_withdrawn": look_at_dispute,
    "charge.dispute.funds_reinstated": look_at_dispute,
    "credit_note.created": look_at_credit_note,
    "credit_note.updated": look_at_credit_note,
    "credit_note.voided": look_at_credit_note,
    "charge.failed": _told_by_invoice,
    "charge.succeeded": _told_by_invoice,
    "invoice_payment.paid": _told_by_invoice,
    "payment_intent.created": _told_by_invoice,
    "payment_intent.payment_failed": look_at_intent,
    "payment_intent.requires_action": _told_by_invoice,
    "payment_intent.succeeded": look_at_intent,
}


# What others tell anyway: our own calls bring these by the dozen, and each would cost a request and a look.
_REDUNDANT = {"invoice.created", "invoice.updated", "invoice.payment_succeeded"}

SUBSCRIBED: tuple[str, ...] = tuple(
    kind
    for kind, handler in HANDLERS.items()
    if handler not in (_told_by_invoice, _nothing_saved) and kind not in _REDUNDANT
)
"""The events an endpoint at Stripe is registered for: exactly those that can change something here."""


def handler_for(event_type: str) -> Handler | None:
    return HANDLERS.get(event_type)
