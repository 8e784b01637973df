"""From facts to deliveries: each public event becomes one row for each endpoint of its vendor."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from customers.events.models import PUBLIC_KINDS, Event, WebhookDelivery, WebhookEndpoint


def dispatch(*, real_now: datetime, limit: int = 500, vendor_id: int | None = None) -> int:
    """Take undispatched events, oldest first, and write their deliveries. Returns how many were taken."""
    waiting = Event.objects.filter(dispatched_at__isnull=True)
    if vendor_id is not None:
        waiting = waiting.filter(vendor_id=vendor_id)
    with transaction.atomic():
        events = list(waiting.select_for_update(skip_locked=True, of=("self",)).order_by("pk")[:limit])
        WebhookDelivery.objects.bulk_create(_deliveries(events, real_now), ignore_conflicts=True)
        Event.objects.filter(pk__in=[event.pk for event in events]).update(dispatched_at=real_now)
    return len(events)


def _deliveries(events: Sequence[Event], real_now: datetime) -> list[WebhookDelivery]:
    told = [event for event in events if event.kind in PUBLIC_KINDS]
    listening = WebhookEndpoint.objects.filter(
        vendor_id__in={event.vendor_id for event in told}, disabled_at__isnull=True
    )
    endpoints: dict[int, list[WebhookEndpoint]] = {}
    for endpoint in listening:
        endpoints.setdefault(endpoint.vendor_id, []).append(endpoint)
    return [
        WebhookDelivery(endpoint=endpoint, event=event, next_attempt_at=real_now)
        for event in told
        for endpoint in endpoints.get(event.vendor_id, [])
    ]
