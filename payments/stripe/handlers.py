"""Which event makes us look at what? One table, from event types to a look at the object.

Of an event only ids are used; everything else is asked of Stripe, so that neither the order of events
nor the API version they are written in matters.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from customers.actors import STRIPE
from customers.settings.policy import policy_for
from invoicing.gateways import GatewayInvoice, GatewayRejected, GatewayUnavailable
from invoicing.invoices import refunds
from invoicing.invoices.collection import StillIssuing, settle
from invoicing.invoices.models import AttemptState, Channel, Invoice, IssueAttempt
from invoicing.invoices.states import BEFORE_ISSUE
from payments.stripe import connect, issuing, mapping, methods
from payments.stripe.client import client_for
from payments.stripe.models import StripeConnection, StripeCustomer, StripeEvent, StripePaymentMethod

logger = logging.getLogger(__name__)

# ``handler(connection, events of one object, real_now)`` answers why they are ignored, or "".
Handler = Callable[[StripeConnection, Sequence[StripeEvent], datetime], str]

FOREIGN_INVOICE = "The invoice was not made here."
FOREIGN_CUSTOMER = "The Stripe customer is not linked to a customer of ours."
REPLACED = "Another Stripe invoice stands for our invoice."
UNISSUED = "Our invoice is not issued: drafts that come and go before that change nothing."
FOREIGN_PAYMENT = "The payment was not made for an invoice of ours."
STILL_ALLOWED = "The account still lets us act."
TOLD_BY_INVOICE = "The events of the invoice tell of its payments."


class Wait(Exception):
    """Our own record of what the event is about is not written yet."""


# Invoices


def look_at_invoice(connection: StripeConnection, events: Sequence[StripeEvent], real_now: datetime) -> str:
    external_id = events[-1].object_id
    invoice = _our_invoice(connection, events)
    if invoice is None:
        return FOREIGN_INVOICE
    if _is_being_issued(invoice):
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
    named = _subject(events[-1]).get("metadata") or {}
    try:
        return mine.filter(uuid=uuid.UUID(named.get("portal_invoice", ""))).first()
    except (AttributeError, TypeError, ValueError):
        return None


def _is_being_issued(invoice: Invoice) -> bool:
    open_attempts = (AttemptState.SENDING, AttemptState.UNKNOWN)
    return IssueAttempt.objects.filter(invoice=invoice, channel=Channel.GATEWAY, state__in=open_attempts).exists()


def present_state(connection: StripeConnection, external_id: str) -> GatewayInvoice:
    try:
        return issuing.fetch(client_for(connection), external_id)
    except GatewayRejected as error:
        if error.code == "resource_missing":
            return mapping.deleted_invoice(external_id)
        raise


# Refunds


def look_at_refund(connection: StripeConnection, events: Sequence[StripeEvent], real_now: datetime) -> str:
    refund = client_for(connection).retrieve_refund(events[-1].object_id)
    return _follow_refunds(connection, refund.get("charge"), refund.get("payment_intent"), [refund], real_now)


def look_at_refunded_charge(connection: StripeConnection, events: Sequence[StripeEvent], real_now: datetime) -> str:
    charge = events[-1].object_id
    made = client_for(connection).list_refunds({"charge": charge})
    intent = made[0].get("payment_intent") if made else None
    return _follow_refunds(connection, charge, intent, made, real_now)


def _follow_refunds(
    connection: StripeConnection, charge: str | None, intent: str | None, made: list[dict[str, Any]], real_now: datetime
) -> str:
    invoice = _invoice_paid_by(connection, charge, intent, real_now)
    if invoice is None:
        return FOREIGN_PAYMENT
    refunds.settle(invoice, [mapping.gateway_refund(refund) for refund in made], real_now=real_now)
    return ""


def _invoice_paid_by(
    connection: StripeConnection, charge: str | None, intent: str | None, real_now: datetime
) -> Invoice | None:
    """By the payment we know, else Stripe is asked: news of the payment itself may still be on its way."""
    mine = Invoice.objects.of(connection.vendor)
    if charge and (known := mine.filter(payments__external_id=charge).first()):
        return known
    paid = client_for(connection).list_invoice_payments(intent) if intent else []
    invoice = mine.filter(external_invoice_id__in=[entry["invoice"] for entry in paid]).first()
    if invoice is not None:
        if _is_being_issued(invoice):
            raise Wait("The invoice is being issued at this moment.")
        settle(invoice.external_invoice_id, present_state(connection, invoice.external_invoice_id), real_now=real_now)
    return invoice


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
    before = _mapping(_mapping(event.body.get("data")).get("previous_attributes"))
    owner = _subject(event).get("customer") or before.get("customer")
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


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _subject(event: StripeEvent) -> Mapping[str, Any]:
    return _mapping(_mapping(event.body.get("data")).get("object"))


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
    "payment_intent.payment_failed": _told_by_invoice,
    "payment_intent.requires_action": _told_by_invoice,
    "payment_intent.succeeded": _told_by_invoice,
}


# What others tell anyway: our own calls bring these by the dozen, and each would cost a request and a look.
_REDUNDANT = {"invoice.created", "invoice.updated", "invoice.payment_succeeded"}

SUBSCRIBED: tuple[str, ...] = tuple(
    kind for kind, handler in HANDLERS.items() if handler is not _told_by_invoice and kind not in _REDUNDANT
)
"""The events an endpoint at Stripe is registered for: exactly those that can change something here."""


def handler_for(event_type: str) -> Handler | None:
    return HANDLERS.get(event_type)
