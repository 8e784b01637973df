"""Deliveries: claim the endpoint, post, record. At least once; the receiver tells repeats by ``idempotency_key``.

The claim is on the endpoint, so one worker at a time speaks to it, in the order of the events. A delivery that fails
holds back the later ones for its first tries (``retries.py``), then it stands aside and they go on.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from requests import Session

from customers.claims import claim, renew
from customers.events import retries
from customers.events.models import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from customers.events.post import GONE, Answer, post

# So many are written down together, and nothing waits longer than this for it. Seconds.
TOGETHER = 25
LONGEST_UNRECORDED = 2.0

Done = tuple[WebhookDelivery, Answer, datetime]

_DELIVERED = """
    UPDATE customers_webhookdelivery AS delivery SET state = 'delivered', attempts = done.attempts,
        response_status = done.status, delivered_at = done.at, next_attempt_at = NULL, last_error = ''
    FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::timestamptz[]) AS done(id, attempts, status, at)
    WHERE delivery.id = done.id
"""


def claim_endpoints(
    *, real_now: datetime, limit: int = 100, vendor_id: int | None = None, endpoint_id: int | None = None
) -> tuple[UUID, list[int]]:
    """Take endpoints that have something to be told now. Returns the claim's token and their keys."""
    endpoints = _waiting_endpoints(real_now).order_by("pk")
    if vendor_id is not None:
        endpoints = endpoints.filter(vendor_id=vendor_id)
    if endpoint_id is not None:
        endpoints = endpoints.filter(pk=endpoint_id)
    return claim(endpoints, real_now=real_now, lease=settings.CLAIM_LEASE, limit=limit)


def _waiting_endpoints(real_now: datetime) -> QuerySet[WebhookEndpoint]:
    open_now = Q(disabled_at__isnull=True) & (Q(held_until__isnull=True) | Q(held_until__lte=real_now))
    return WebhookEndpoint.objects.filter(open_now & Exists(_due(real_now).filter(endpoint=OuterRef("pk"))))


def _due(real_now: datetime) -> QuerySet[WebhookDelivery]:
    return WebhookDelivery.objects.filter(state=DeliveryState.PENDING, next_attempt_at__lte=real_now)


def deliver_next(http: Session, endpoint_id: int, token: UUID, *, real_now: datetime, most: int = 1) -> int:
    """Try the endpoint's oldest due deliveries, up to ``most`` or the first that fails. Answers how many were tried:
    none when there is none, or the claim has passed to another.

    What was delivered is written down together, soon: whoever dies before that sends so many again.
    """
    if not renew(WebhookEndpoint, endpoint_id, token, real_now=real_now, lease=settings.CLAIM_LEASE):
        return 0
    done: list[Done] = []
    tried, began = 0, time.monotonic()
    try:
        for delivery in _next(endpoint_id, real_now, most):
            at = real_now + timedelta(seconds=time.monotonic() - began) if tried else real_now
            answer = post(http, delivery, real_now=at)
            tried += 1
            if not answer.is_delivered:
                record_failure(delivery, answer, real_now=at)
                break
            done.append((delivery, answer, at))
            if time.monotonic() - began > LONGEST_UNRECORDED:
                break
    finally:
        record_delivered(done)
    return tried


def _next(endpoint_id: int, real_now: datetime, most: int) -> list[WebhookDelivery]:
    held = Q(endpoint__held_until__isnull=True) | Q(endpoint__held_until__lte=real_now)
    rows = _due(real_now).filter(held, endpoint=endpoint_id, endpoint__disabled_at__isnull=True)
    return list(rows.select_related("endpoint__vendor", "event").order_by("pk")[:most])


def let_go(endpoint_id: int, token: UUID) -> None:
    """Give an endpoint back, unless somebody else holds it by now."""
    held = WebhookEndpoint.objects.filter(pk=endpoint_id, claim_token=token)
    held.update(claim_token=None, claimed_until=None)


def record_delivered(done: Sequence[Done]) -> None:
    """Their tries, and that the endpoint answers again."""
    if not done:
        return
    for delivery, answer, at in done:
        delivery.attempts += 1
        delivery.response_status, delivery.last_error = answer.status, ""
        delivery.state, delivery.delivered_at, delivery.next_attempt_at = DeliveryState.DELIVERED, at, None
    with transaction.atomic():
        # The endpoint before its deliveries, as everywhere (docs/concurrency.md).
        _change(done[0][0].endpoint, failing_since=None, held_until=None)
        WebhookAttempt.objects.bulk_create(_try(*one) for one in done)
        _write_down([delivery for delivery, *_ in done])


def _write_down(delivered: Sequence[WebhookDelivery]) -> None:
    columns = (
        [row.pk for row in delivered],
        [row.attempts for row in delivered],
        [row.response_status for row in delivered],
        [row.delivered_at for row in delivered],
    )
    with connection.cursor() as cursor:
        cursor.execute(_DELIVERED, columns)


def record_failure(delivery: WebhookDelivery, answer: Answer, *, real_now: datetime) -> None:
    """The try, what it means for the delivery, and what for the endpoint."""
    delivery.attempts += 1
    delivery.response_status, delivery.last_error = answer.status, answer.error
    with transaction.atomic():
        _try(delivery, answer, real_now).save(force_insert=True)
        _failed(delivery, answer, real_now)
        delivery.save()


def _try(delivery: WebhookDelivery, answer: Answer, at: datetime) -> WebhookAttempt:
    return WebhookAttempt(
        delivery=delivery,
        attempted_at=at,
        duration_ms=answer.duration_ms,
        status=answer.status,
        error=answer.error,
        answer=answer.text,
    )


def _failed(delivery: WebhookDelivery, answer: Answer, real_now: datetime) -> None:
    endpoint, again = delivery.endpoint, retries.next_try(delivery.attempts, answer.retry_after, real_now=real_now)
    if answer.status == GONE:
        again = None
    delivery.is_aside = delivery.is_aside or delivery.attempts >= retries.TRIES_IN_ORDER
    delivery.next_attempt_at = again
    delivery.state = DeliveryState.PENDING if again else DeliveryState.FAILED
    held = again if not delivery.is_aside else retries.asked_for(answer.retry_after, real_now)
    _change(endpoint, failing_since=endpoint.failing_since or real_now, held_until=held)
    if reason := _reason_to_disable(endpoint, answer, real_now):
        _change(endpoint, disabled_at=real_now, disabled_reason=reason, is_notice_due=True)


def _reason_to_disable(endpoint: WebhookEndpoint, answer: Answer, real_now: datetime) -> str:
    if answer.status == GONE:
        return "It answered 410 (Gone): it asks not to be told any more."
    if endpoint.failing_since and real_now - endpoint.failing_since >= retries.GIVE_UP_AFTER:
        return f"Every delivery since {endpoint.failing_since:%Y-%m-%d %H:%M} UTC has failed."
    return ""


def _change(endpoint: WebhookEndpoint, **columns: datetime | str | bool | None) -> None:
    """Only what changed, so that a claim or an operator's change made meanwhile stays."""
    changed = {name: value for name, value in columns.items() if getattr(endpoint, name) != value}
    for name, value in changed.items():
        setattr(endpoint, name, value)
    if changed:
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(**changed)


def untried(vendor_id: int, *, real_now: datetime) -> QuerySet[WebhookDelivery]:
    """Deliveries that were never attempted and do not wait behind one that failed."""
    endpoints = _waiting_endpoints(real_now).filter(vendor_id=vendor_id)
    return WebhookDelivery.objects.filter(endpoint__in=endpoints, state=DeliveryState.PENDING, attempts=0)
