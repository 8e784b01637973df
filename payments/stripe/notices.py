"""Telling a vendor by e-mail that its Stripe account is gone."""

from __future__ import annotations

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage

from invoicing.invoices.waiting import waiting
from payments.stripe import standing
from payments.stripe.models import StripeConnection

logger = logging.getLogger(__name__)


def send_notices() -> int:
    """Write to the vendors whose account went away since the last time. Returns how many were sent."""
    due = StripeConnection.objects.filter(is_notice_due=True).select_related("vendor")
    return sum(_send(connection) for connection in due)


def _send(connection: StripeConnection) -> bool:
    """Marked before it is handed over: a vendor rather misses one message than gets one at each tick."""
    if not StripeConnection.objects.filter(pk=connection.pk, is_notice_due=True).update(is_notice_due=False):
        return False
    if not connection.vendor.email:
        return False
    try:
        _message(connection).send()
    except (OSError, SMTPException) as error:
        logger.warning("The notice about the Stripe account %s was not sent: %s", connection, error)
        StripeConnection.objects.filter(pk=connection.pk).update(is_notice_due=True)
        return False
    return True


def _message(connection: StripeConnection) -> EmailMessage:
    vendor, count = connection.vendor, waiting(connection.vendor).count()
    waits = "1 invoice waits" if count == 1 else f"{count} invoices wait"
    text = (
        f"The Stripe account {connection.account_id} ({connection.mode} mode) of {vendor.display_name} was disconnected"
        f" on {connection.disconnected_at:%Y-%m-%d at %H:%M} UTC.\n\n"
        f"{connection.disconnected_reason} {standing.REMEDY}\n\n"
        f"At present {waits}:\n\n    {settings.PUBLIC_URL}/settings/invoicing-payments/\n"
    )
    return EmailMessage("Your Stripe account was disconnected", text, to=[vendor.email])
