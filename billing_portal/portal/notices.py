"""What needs a person and is no invoice: news that could not be processed, endpoints that are switched off,
differences from Stripe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from billing_portal.portal.bounded import Count, count_each
from customers.events.models import WebhookEndpoint
from customers.vendor import Vendor
from payments.reconcile.models import Difference
from payments.stripe.models import StripeConnection, StripeEvent


@dataclass(frozen=True)
class Notice:
    icon: str
    text: str
    link: str


TOLD = {
    "stripe_events": ("move_to_inbox", "Stripe event", "could not be processed"),
    "webhooks": ("webhook", "webhook endpoint", "cannot be reached, or refused"),
    "reconciliation": ("balance", "difference", "from Stripe"),
}


def troubles_of(vendor: Vendor) -> dict[str, QuerySet[Any]]:
    """By the screen on which one can do something about them."""
    connections = StripeConnection.objects.of(vendor)
    return {
        "stripe_events": StripeEvent.objects.of(vendor).filter(state=StripeEvent.State.FAILED),
        "webhooks": WebhookEndpoint.objects.of(vendor).filter(failing_since__isnull=False),
        "reconciliation": Difference.objects.of(vendor).filter(
            connection__in=connections, repaired_at__isnull=True, gone_at__isnull=True
        ),
    }


def notices_of(vendor: Vendor) -> list[Notice]:
    counts = count_each(vendor, troubles_of(vendor))
    return [_notice(count, page, *TOLD[page]) for page, count in counts.items() if count.value]


def _notice(count: Count, page: str, icon: str, what: str, said: str) -> Notice:
    link = reverse(f"portal:{page}") + ("?state=failed" if page == "stripe_events" else "")
    return Notice(icon, f"{count} {what if count.value == 1 else f'{what}s'} {said}", link)
