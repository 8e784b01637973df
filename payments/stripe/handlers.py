"""Which event makes us look at what? One table, from event types to a look at the object.

Of an event only ids are used; everything else is asked of Stripe, so that neither the order of events
nor the API version they are written in matters.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from customers.actors import STRIPE
from customers.settings.policy import policy_for
from invoicing.gateways import GatewayRejected, GatewayUnavailable
from payments.stripe import connect, methods
from payments.stripe.charge_news import TOLD_BY_INVOICE, look_at_intent
from payments.stripe.invoice_news import look_at_invoice
from payments.stripe.models import StripeConnection, StripeCustomer, StripeEvent, StripePaymentMethod
from payments.stripe.money_news import look_at_refund, look_at_refunded_charge
from payments.stripe.news import Handler, mapping_of, subject

logger = logging.getLogger(__name__)

FOREIGN_CUSTOMER = "The Stripe customer is not linked to a customer of ours."
STILL_ALLOWED = "The account still lets us act."


# Customers and their payment methods


def look_at_customer(connection: StripeConnection, events: Sequence[StripeEvent], real_now: datetime) -> str:
    return _refresh(_linked(connection, events[-1].object_id), real_now)


def look_at_method(connection: StripeConnection, events: Sequence[StripeEvent], real_now: datetime) -> str:
    owners = {owner for event in events if (owner := _owner(connection, event))}
    known = [row for owner in sorted(owners) if (row := _linked(connection, owner))]
    if not known:
        return FOREIGN_CUSTOMER
    for row in known:
        _make_newest_default(row, events)
        _refresh(row, real_now)
    return ""


def _linked(connection: StripeConnection, external_id: str) -> StripeCustomer | None:
    rows = StripeCustomer.objects.of(connection.vendor).select_related("connection", "customer__vendor")
    return rows.filter(connection=connection, external_id=external_id, state=StripeCustomer.State.LINKED).first()


def _refresh(row: StripeCustomer | None, real_now: datetime) -> str:
    if row is None:
        return FOREIGN_CUSTOMER
    methods.refresh(row, actor=STRIPE, real_now=real_now)
    return ""


def _owner(connection: StripeConnection, event: StripeEvent) -> str:
    """A detached method names no customer any more; who had it is told beside it, or known here."""
    before = mapping_of(mapping_of(event.body.get("data")).get("previous_attributes"))
    owner = subject(event).get("customer") or before.get("customer")
    if isinstance(owner, str):
        return owner
    kept = StripePaymentMethod.objects.filter(
        external_id=event.object_id, stripe_customer__connection=connection
    ).select_related("stripe_customer")
    return next((method.stripe_customer.external_id for method in kept), "")


def _make_newest_default(row: StripeCustomer, events: Sequence[StripeEvent]) -> None:
    attached = next((e for e in reversed(events) if e.type == "payment_method.attached"), None)
    if attached is None or not policy_for(row.customer).auto_update_stripe_default_payment_method:
        return
    try:
        methods.make_default(row, attached.object_id, key=f"default-{attached.event_id}")
    except GatewayRejected as error:
        logger.warning("%s did not become the default of %s: %s", attached.object_id, row, error.message)


# The account


def account_let_go(connection: StripeConnection, events: Sequence[StripeEvent], real_now: datetime) -> str:
    """The vendor disconnected us in Stripe's dashboard. The event may be old, or tell of one of two grants,
    so the account is asked: its refusal ends the connection."""
    try:
        connect.probe(connection, real_now=real_now)
    except GatewayUnavailable as error:
        if error.code == "not_connected":
            return ""
        raise
    return STILL_ALLOWED


# The table


def ignoring(reason: str) -> Handler:
    def ignore(connection: StripeConnection, events: Sequence[StripeEvent], real_now: datetime) -> str:
        return reason

    return ignore


_told_by_invoice = ignoring(TOLD_BY_INVOICE)

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
    "payment_method.attached": look_at_method,
    "payment_method.automatically_updated": look_at_method,
    "payment_method.detached": look_at_method,
    "payment_method.updated": look_at_method,
    "charge.refunded": look_at_refunded_charge,
    "refund.created": look_at_refund,
    "refund.failed": look_at_refund,
    "refund.updated": look_at_refund,
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
    kind for kind, handler in HANDLERS.items() if handler is not _told_by_invoice and kind not in _REDUNDANT
)
"""The events an endpoint at Stripe is registered for: exactly those that can change something here."""


def handler_for(event_type: str) -> Handler | None:
    return HANDLERS.get(event_type)
