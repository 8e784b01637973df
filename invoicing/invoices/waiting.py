"""Invoices that wait because the gateway has no account to act with for their vendor.

They have not failed, and trying them again by the clock would not help: they are put aside, with the reason,
until somebody connects an account. Then they go on where they were.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet

from customers.claims import hold
from customers.vendor import Vendor
from invoicing.gateways import GATEWAY, GatewayUnavailable, get_gateway
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import InvoiceAction

AT_GATEWAY = (
    InvoiceAction.ISSUE,
    InvoiceAction.COLLECT,
    InvoiceAction.REFUND,
    InvoiceAction.VOID_AT_GATEWAY,
    InvoiceAction.UNCOLLECTIBLE_AT_GATEWAY,
    InvoiceAction.MARK_PAID_AT_GATEWAY,
    InvoiceAction.SEND_AT_GATEWAY,
)
NOT_CONNECTED = "not_connected"
"""The code of an error that only a person can cure, by connecting an account."""


def waiting(vendor: Vendor) -> QuerySet[Invoice]:
    return Invoice.objects.of(vendor).filter(_PUT_ASIDE)


def wait(invoice: Invoice, error: GatewayUnavailable, *, pause: timedelta, real_now: datetime) -> None:
    """No answer: what was asked for stays under way and is asked for again after a pause of real time; where no
    account is connected, when one is. It counts as no try."""
    if error.code == NOT_CONNECTED:
        put_aside(invoice, error, real_now=real_now)
        return
    Invoice.objects.filter(pk=invoice.pk).update(last_error=error.message)
    hold(Invoice, invoice.pk, until=real_now + pause)


def growing_pause(asked_at: datetime, real_now: datetime) -> timedelta:
    """Ever longer, the longer ago it was first asked for."""
    return min(max(real_now - asked_at, timedelta(seconds=5)), settings.GATEWAY_LONGEST_PAUSE)


def put_aside(invoice: Invoice, error: GatewayUnavailable, *, real_now: datetime) -> None:
    Invoice.objects.filter(pk=invoice.pk).update(
        next_action_at=None, last_error=error.message, claim_token=None, claimed_until=None
    )
    # An account that was connected between the refusal and this moment has not seen the invoice waiting. One that
    # is held by an account which is still gone waits for that one, whatever acts now.
    gateway = get_gateway(GATEWAY)
    account = invoice.gateway_account or gateway.acting_account(invoice.vendor_id)
    if account and gateway.can_act(account):
        aside = Invoice.objects.filter(_PUT_ASIDE, pk=invoice.pk)
        aside.update(next_action_at=invoice.vendor.now(real_now))


def go_on(vendor: Vendor, *, real_now: datetime) -> int:
    """Let the next tick take up what was put aside. How many are."""
    return waiting(vendor).update(next_action_at=vendor.now(real_now))


_PUT_ASIDE = Q(next_action__in=AT_GATEWAY, next_action_at__isnull=True, paused_at__isnull=True)
