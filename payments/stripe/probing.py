"""Once a day each account is asked whether it still lets us act: the event that tells of the end may be lost."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from invoicing.gateways import GatewayError
from payments.stripe import connect
from payments.stripe.models import StripeConnection

logger = logging.getLogger(__name__)

EVERY = timedelta(days=1)


def due(real_now: datetime) -> QuerySet[StripeConnection]:
    stale = Q(probed_at__isnull=True) | Q(probed_at__lte=real_now - EVERY)
    return StripeConnection.objects.filter(stale, disconnected_at__isnull=True)


def probe_due(*, real_now: datetime, limit: int = 100) -> int:
    """Ask those that were not asked for a day. Answers how many; the rest is for the next time."""
    asked = [row for row in due(real_now).order_by("probed_at", "pk")[:limit] if _claim(row, real_now)]
    for connection in asked:
        try:
            connect.probe(connection, real_now=real_now)
        except GatewayError as error:
            logger.warning("The Stripe account %s did not answer for itself: %s", connection, error.message)
    return len(asked)


def _claim(connection: StripeConnection, real_now: datetime) -> bool:
    """Two schedulers ask once."""
    return due(real_now).filter(pk=connection.pk).update(probed_at=real_now) == 1
