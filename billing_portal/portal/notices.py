"""What needs a person and is no invoice: news that could not be processed, endpoints that are switched off,
differences from Stripe."""

from __future__ import annotations

from dataclasses import dataclass

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


def notices_of(vendor: Vendor) -> list[Notice]:
    failed = StripeEvent.objects.of(vendor).filter(state=StripeEvent.State.FAILED)
    open_here = Difference.objects.of(vendor).filter(
        connection__in=StripeConnection.objects.of(vendor), repaired_at__isnull=True, gone_at__isnull=True
    )
    failing = WebhookEndpoint.objects.of(vendor).filter(failing_since__isnull=False)
    told = {
        "events": ("move_to_inbox", "Stripe event", "could not be processed", "stripe_events"),
        "endpoints": ("webhook", "webhook endpoint", "cannot be reached, or refused", "webhooks"),
        "differences": ("balance", "difference", "from Stripe", "reconciliation"),
    }
    counts = count_each(vendor, {"events": failed, "endpoints": failing, "differences": open_here})
    return [_notice(count, *told[key]) for key, count in counts.items() if count.value]


def _notice(count: Count, icon: str, what: str, said: str, page: str) -> Notice:
    link = reverse(f"portal:{page}") + ("?state=failed" if page == "stripe_events" else "")
    return Notice(icon, f"{count} {what if count.value == 1 else f'{what}s'} {said}", link)
