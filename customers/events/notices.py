"""Telling a vendor by e-mail that one of its endpoints was disabled."""

from __future__ import annotations

import logging
from smtplib import SMTPException

from django.core.mail import EmailMessage

from customers.events.models import WebhookEndpoint

logger = logging.getLogger(__name__)


def send_notices() -> int:
    """Write to the vendors of endpoints that were disabled since the last time. Returns how many were sent."""
    due = WebhookEndpoint.objects.filter(is_notice_due=True).select_related("vendor")
    return sum(_send(endpoint) for endpoint in due)


def _send(endpoint: WebhookEndpoint) -> bool:
    """Marked before it is handed over: a vendor rather misses one message than gets one at each tick."""
    if not WebhookEndpoint.objects.filter(pk=endpoint.pk, is_notice_due=True).update(is_notice_due=False):
        return False
    if not endpoint.vendor.email:
        return False
    try:
        _message(endpoint).send()
    except (OSError, SMTPException) as error:
        logger.warning("The notice about webhook endpoint %s was not sent: %s", endpoint.uuid, error)
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(is_notice_due=True)
        return False
    return True


def _message(endpoint: WebhookEndpoint) -> EmailMessage:
    text = (
        f"The webhook endpoint {endpoint.url} of {endpoint.vendor.display_name} was disabled"
        f" on {endpoint.disabled_at:%Y-%m-%d at %H:%M} UTC.\n\n"
        f"{endpoint.disabled_reason}\n\n"
        "Events from then on are not kept for it. What was waiting is kept, and sent once the endpoint is enabled"
        f" again, under System -> Webhooks or with\n\n    PUT /api/v1/webhooks/{endpoint.uuid} "
        '{"enabled": true}\n'
    )
    return EmailMessage("A webhook endpoint was disabled", text, to=[endpoint.vendor.email])
