"""From facts to deliveries: each event that is told becomes one row for each endpoint of its vendor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Max

from customers.events.models import Event, WebhookDelivery, WebhookEndpoint, is_told

# Any number will do, so long as nothing else in this database takes advisory locks in the same class.
_LOCK_CLASS = 0x646973

_NUMBERED = """
    UPDATE customers_event AS event SET sequence = told.sequence
    FROM unnest(%s::bigint[], %s::bigint[]) AS told(id, sequence) WHERE event.id = told.id
"""


def dispatch(*, real_now: datetime, limit: int = 500, vendor_id: int | None = None) -> int:
    """Take undispatched events, oldest first, and write their deliveries. Returns how many were taken."""
    waiting = Event.objects.filter(dispatched_at__isnull=True)
    vendors = waiting.order_by("vendor_id").values_list("vendor_id", flat=True).distinct()
    ids = list(vendors) if vendor_id is None else [vendor_id]
    return sum(_dispatch(pk, real_now, limit) for pk in ids)


def _dispatch(vendor_id: int, real_now: datetime, limit: int) -> int:
    """One at a time for each vendor, so that deliveries stand in the order of their events."""
    with transaction.atomic():
        alone(vendor_id)
        events = _waiting(vendor_id, limit)
        told = _once([event for event in events if is_told(event.kind)])
        number(vendor_id, told)
        with connection.cursor() as cursor:
            cursor.execute(_NUMBERED, [[event.pk for event in told], [event.sequence for event in told]])
        WebhookDelivery.objects.bulk_create(_deliveries(vendor_id, told, real_now), ignore_conflicts=True)
        Event.objects.filter(pk__in=[event.pk for event in events]).update(dispatched_at=real_now)
    return len(events)


def alone(vendor_id: int) -> None:
    """Nobody else dispatches this vendor's events until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK_CLASS, vendor_id])


def _waiting(vendor_id: int, limit: int) -> list[Event]:
    """Whole transactions: those of which the first rows are taken are taken to their end."""
    waiting = Event.objects.filter(vendor_id=vendor_id, dispatched_at__isnull=True).order_by("pk")
    events = list(waiting[:limit])
    if len(events) == limit:
        begun = {event.transaction_id for event in events}
        events += waiting.filter(transaction_id__in=begun, pk__gt=events[-1].pk)
    return events


def _once(events: Iterable[Event]) -> list[Event]:
    """Receivers are told once what one transaction says twice in the same words."""
    first: dict[tuple[object, ...], Event] = {}
    for event in events:
        words = sorted(event.told_payload.items(), key=lambda item: item[0])
        key = (event.transaction_id, event.told_kind, event.subject_kind, event.subject_id, repr(words))
        first.setdefault(key, event)
    return list(first.values())


def number(vendor_id: int, events: Iterable[Event]) -> None:
    """Go on counting where each subject stands. The caller holds the vendor's lock, or the only reference."""
    told = list(events)
    counted = Event.objects.filter(
        vendor_id=vendor_id,
        subject_kind__in={event.subject_kind for event in told},
        subject_id__in={event.subject_id for event in told},
        sequence__isnull=False,
    )
    reached = counted.order_by().values("subject_kind", "subject_id").annotate(last=Max("sequence"))
    counter = Counter({(row["subject_kind"], row["subject_id"]): row["last"] for row in reached})
    for event in told:
        counter[event.subject_kind, event.subject_id] += 1
        event.sequence = counter[event.subject_kind, event.subject_id]


def _deliveries(vendor_id: int, events: Iterable[Event], real_now: datetime) -> list[WebhookDelivery]:
    endpoints = list(WebhookEndpoint.objects.filter(vendor_id=vendor_id, disabled_at__isnull=True).order_by("pk"))
    return [
        delivery_of(event, endpoint, real_now)
        for event in events
        for endpoint in endpoints
        if endpoint.listens_to(event.told_kind)
    ]


def delivery_of(event: Event, endpoint: WebhookEndpoint, real_now: datetime) -> WebhookDelivery:
    return WebhookDelivery(
        vendor_id=endpoint.vendor_id, endpoint=endpoint, event=event, created_at=real_now, next_attempt_at=real_now
    )
