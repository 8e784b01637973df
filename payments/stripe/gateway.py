"""Stripe behind ``invoicing.gateways.PaymentGateway``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.utils import timezone

from customers.actors import SCHEDULE
from customers.vendor import Vendor
from invoicing.gateways import (
    ChargeOrder,
    GatewayCharge,
    GatewayError,
    GatewayInvoice,
    GatewayMethod,
    GatewayRefund,
    GatewayRejected,
    GatewayUnavailable,
    InvoiceOrder,
)
from invoicing.invoices.models import IssueAttempt
from invoicing.invoices.waiting import NOT_CONNECTED
from payments.stripe import acting, charging, issuing, methods, reading, refunds, standing
from payments.stripe.client import KEYS_LAST, AccountClient, client_for
from payments.stripe.connect import acting_connection, connection_by_reference, last_connection
from payments.stripe.models import StripeConnection, StripeCustomer, StripePaymentMethod
from payments.stripe.plan import Issue

NO_CONNECTION = "No Stripe account is connected. Connect one under Settings -> Invoicing & Payments."
GONE = "The Stripe account {} is no longer connected. Connect it again under Settings -> Invoicing & Payments."
STANDING_BY = "No Stripe account acts for you at present. Choose one under Settings -> Invoicing & Payments."
NO_COUNTERPART = "The customer has no Stripe customer. Generate or link one under Integrations -> Payments."
STILL_MADE = "The Stripe customer is still being made. The invoice follows as soon as it exists."


class StripeGateway:
    code = "stripe"

    def acting_account(self, vendor_id: int) -> str:
        connection = acting_connection(vendor_id)
        return connection.reference if connection else ""

    def can_act(self, account: str) -> bool:
        connection = connection_by_reference(account)
        return connection is not None and connection.is_connected

    def issue_invoice(
        self, order: InvoiceOrder, *, idempotency_key: str, remember: Callable[[str], None]
    ) -> GatewayInvoice:
        vendor = Vendor.objects.get(pk=order.vendor_id)
        connection = _connection_for(order)
        counterpart = _counterpart(order.customer_id, connection)
        real_now = timezone.now()
        issue = Issue(
            client=client_for(connection),
            order=order,
            customer=counterpart.external_id,
            key=idempotency_key,
            today=vendor.today(real_now),
            zone=vendor.zone,
            real_now=real_now,
            known_methods=_known_methods(counterpart),
        )
        try:
            return issuing.make(issue, _earlier(issue, real_now), remember)
        except GatewayRejected as error:
            with suppress(GatewayError):
                methods.look_after(error, counterpart, actor=SCHEDULE, real_now=real_now)
            raise

    def charge(
        self, order: ChargeOrder, *, idempotency_key: str, again: bool, remember: Callable[[str], None]
    ) -> GatewayCharge:
        vendor = Vendor.objects.get(pk=order.vendor_id)
        try:
            connection = _connection_for(order)
            counterpart = _counterpart(order.customer_id, connection)
        except GatewayRejected as error:
            if again:
                raise GatewayUnavailable(error.message, code=error.code) from error
            return charging.impossible(error.message)
        wanted = charging.Charge(
            client=client_for(connection),
            order=order,
            customer=counterpart.external_id,
            key=idempotency_key,
            today=vendor.today(timezone.now()),
            known_methods=_known_methods(counterpart),
        )
        try:
            return charging.make(wanted, again=again, remember=remember)
        except GatewayRejected:
            # Nothing was charged, and no bank said why: perhaps the method is not there any more.
            with suppress(GatewayError):
                methods.refresh(counterpart, actor=SCHEDULE, real_now=timezone.now())
            raise

    def collect(
        self, account: str, external_id: str, *, idempotency_key: str, known: int, method: str = ""
    ) -> GatewayInvoice:
        return acting.collect(_client(account), external_id, key=idempotency_key, known=known, method=method)

    def send_invoice(self, account: str, external_id: str, *, idempotency_key: str) -> GatewayInvoice:
        return acting.send(_client(account), external_id, key=idempotency_key)

    def void_invoice(self, account: str, external_id: str, *, idempotency_key: str) -> GatewayInvoice:
        return acting.void(_client(account), external_id, key=idempotency_key)

    def mark_uncollectible(self, account: str, external_id: str, *, idempotency_key: str) -> GatewayInvoice:
        return acting.give_up(_client(account), external_id, key=idempotency_key)

    def mark_paid(self, account: str, external_id: str, *, idempotency_key: str) -> GatewayInvoice:
        return acting.mark_paid(_client(account), external_id, key=idempotency_key)

    def refund(
        self, account: str, external_id: str, amount: int, *, reference: str, idempotency_key: str
    ) -> GatewayRefund:
        return refunds.make(_client(account), external_id, amount, reference=reference, key=idempotency_key)

    def fetch_invoice(self, account: str, external_id: str) -> GatewayInvoice:
        return reading.fetch(_client(account), external_id)

    def payment_methods(self, account: str, customer_id: int) -> list[GatewayMethod]:
        connection = connection_by_reference(account) if account else None
        rows = StripePaymentMethod.objects.filter(
            stripe_customer__customer_id=customer_id, stripe_customer__connection=connection
        )
        kept = rows.order_by("-is_default", "pk")
        return [GatewayMethod(row.external_id, str(row), row.is_default) for row in kept]


def _known_methods(counterpart: StripeCustomer) -> list[StripePaymentMethod]:
    return list(StripePaymentMethod.objects.filter(stripe_customer=counterpart).order_by("-is_default"))


def _connection_for(order: InvoiceOrder | ChargeOrder) -> StripeConnection:
    if not order.account and (last := last_connection(order.vendor_id)):
        raise GatewayUnavailable(STANDING_BY if last.is_connected else standing.why_not(last), code=NOT_CONNECTED)
    return _connection(order.account)


def _connection(account: str) -> StripeConnection:
    connection = connection_by_reference(account) if account else None
    if connection is None:
        raise GatewayRejected(GONE.format(account) if account else NO_CONNECTION, code=NOT_CONNECTED)
    return connection


def _client(account: str) -> AccountClient:
    return client_for(_connection(account))


def _counterpart(customer_id: int, connection: StripeConnection) -> StripeCustomer:
    row = StripeCustomer.objects.filter(customer_id=customer_id, connection=connection).first()
    if row is not None and row.state == StripeCustomer.State.PENDING:
        raise GatewayUnavailable(STILL_MADE, code="customer_pending")
    if row is None or row.state != StripeCustomer.State.LINKED:
        raise GatewayRejected(NO_COUNTERPART, code="no_stripe_customer")
    return row


def _earlier(issue: Issue, real_now: datetime) -> dict[str, Any] | None:
    """What a former run of this order left at Stripe, asked for only when its key may be forgotten there."""
    attempt = IssueAttempt.objects.filter(idempotency_key=issue.key).first()
    if attempt is None or attempt.real_started_at > real_now - KEYS_LAST:
        return None
    return reading.find(issue.client, issue.order, issue.customer, attempt.real_started_at)
