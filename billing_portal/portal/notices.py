"""What needs a person and is no invoice: news that could not be processed, endpoints that are switched off,
differences from Stripe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from customers.events.models import WebhookEndpoint
from customers.vendor import Vendor
from payments.reconcile.models import Difference
from payments.stripe.models import StripeConnection, StripeEvent

MOST = 100
"""Counted no further."""


@dataclass(frozen=True)
class Notice:
    icon: str
    text: str
    link: str


def notices_of(vendor: Vendor) -> list[Notice]:
    failed = StripeEvent.objects.of(vendor).filter(state=StripeEvent.State.FAILED)
    open_here = Difference.objects.of(vendor).filter(
        connection__in=StripeConnection.objects.of(vendor), repaired_at__isnull=True, gone_at__isnull=True
    )
    failing = WebhookEndpoint.objects.of(vendor).filter(failing_since__isnull=False)
    events = f"{reverse('portal:stripe_events')}?state=failed"
    endpoints, differences = reverse("portal:webhooks"), reverse("portal:reconciliation")
    found = [
        _notice(failed, "move_to_inbox", "Stripe event", "could not be processed", events),
        _notice(failing, "webhook", "webhook endpoint", "cannot be reached, or refused", endpoints),
        _notice(open_here, "balance", "difference", "from Stripe", differences),
    ]
    return [notice for notice in found if notice is not None]


def _notice(rows: QuerySet[Any], icon: str, what: str, said: str, link: str) -> Notice | None:
    count = rows.order_by().values("pk")[: MOST + 1].count()
    if not count:
        return None
    number = f"More than {MOST}" if count > MOST else count
    return Notice(icon, f"{number} {what if count == 1 else f'{what}s'} {said}", link)
