"""Deliveries: claim the endpoint, post, record. At least once; the receiver tells repeats by ``idempotency_key``.

The claim is on the endpoint, so one worker at a time speaks to it, in the order of the events. A delivery that fails
holds back the later ones for its first tries (``retries.py``), then it stands aside and they go on.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from requests import Session

from customers.claims import claim, renew
from customers.events import retries
from customers.events.models import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from customers.events.post import GONE, Answer, post


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


def deliver_next(http: Session, endpoint_id: int, token: UUID, *, real_now: datetime) -> bool:
    """Try the endpoint's oldest due delivery. False when there is none, or the claim has passed to another."""
    if not renew(WebhookEndpoint, endpoint_id, token, real_now=real_now, lease=settings.CLAIM_LEASE):
        return False
    if not _waiting_endpoints(real_now).filter(pk=endpoint_id).exists():
        return False
    delivery = _due(real_now).filter(endpoint=endpoint_id).select_related("endpoint__vendor", "event").order_by("pk")[0]
    record_answer(delivery, post(http, delivery, real_now=real_now), real_now=real_now)
    return True


def let_go(endpoint_id: int, token: UUID) -> None:
    """Give an endpoint back, unless somebody else holds it by now."""
    held = WebhookEndpoint.objects.filter(pk=endpoint_id, claim_token=token)
    held.update(claim_token=None, claimed_until=None)


def record_answer(delivery: WebhookDelivery, answer: Answer, *, real_now: datetime) -> None:
    """The try, what it means for the delivery, and what for the endpoint."""
    delivery.attempts += 1
    delivery.response_status, delivery.last_error = answer.status, answer.error
    with transaction.atomic():
        WebhookAttempt.objects.create(
            delivery=delivery,
            attempted_at=real_now,
            duration_ms=answer.duration_ms,
            status=answer.status,
            error=answer.error,
            answer=answer.text,
        )
        if answer.is_delivered:
            _delivered(delivery, real_now)
        else:
            _failed(delivery, answer, real_now)
        delivery.save()


def _delivered(delivery: WebhookDelivery, real_now: datetime) -> None:
    delivery.state, delivery.delivered_at, delivery.next_attempt_at = DeliveryState.DELIVERED, real_now, None
    _change(delivery.endpoint, failing_since=None, held_until=None)


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
