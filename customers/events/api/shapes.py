"""How webhook endpoints and deliveries look in answers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, TypedDict

from customers.events.models import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint


class WebhookAnswer(TypedDict):
    uuid: str
    url: str
    enable_signature: bool
    description: str
    event_types: Annotated[list[str], "The events it is told of. Empty: all."]
    enabled: bool
    disabled_at: datetime | None
    disabled_reason: str
    failing_since: Annotated[datetime | None, "The first failure after the last success."]
    previous_secret_until: Annotated[datetime | None, "Until then deliveries carry the old secret's signature too."]


class NewWebhookAnswer(WebhookAnswer):
    secret: str


class AttemptAnswer(TypedDict):
    attempted_at: datetime
    duration_ms: int
    status: Annotated[int | None, "Null: nobody answered."]
    error: str
    answer: Annotated[str, "The first 500 characters of what was answered."]


class DeliveryAnswer(TypedDict):
    id: str
    event_type: str
    idempotency_key: str
    state: DeliveryState
    created_at: datetime
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    attempts: list[AttemptAnswer]


class DeliveriesAnswer(TypedDict):
    deliveries: list[DeliveryAnswer]
    limit: int
    next_cursor: Annotated[str | None, "Pass it back as cursor for the next page. Null: there is none."]


def webhook_shape(endpoint: WebhookEndpoint) -> WebhookAnswer:
    return {
        "uuid": str(endpoint.uuid),
        "url": endpoint.url,
        "enable_signature": endpoint.enable_signature,
        "description": endpoint.description,
        "event_types": endpoint.event_types,
        "enabled": endpoint.disabled_at is None,
        "disabled_at": endpoint.disabled_at,
        "disabled_reason": endpoint.disabled_reason,
        "failing_since": endpoint.failing_since,
        "previous_secret_until": endpoint.previous_secret_until,
    }


def delivery_shape(delivery: WebhookDelivery, *, tries: Iterable[WebhookAttempt] = ()) -> DeliveryAnswer:
    return {
        "id": str(delivery.pk),
        "event_type": delivery.event.told_kind,
        "idempotency_key": delivery.event.uuid.hex,
        "state": DeliveryState(delivery.state),
        "created_at": delivery.created_at,
        "next_attempt_at": delivery.next_attempt_at,
        "delivered_at": delivery.delivered_at,
        "attempts": [attempt_shape(attempt) for attempt in sorted(tries, key=lambda attempt: attempt.pk)],
    }


def attempt_shape(attempt: WebhookAttempt) -> AttemptAnswer:
    return {
        "attempted_at": attempt.attempted_at,
        "duration_ms": attempt.duration_ms,
        "status": attempt.status,
        "error": attempt.error,
        "answer": attempt.answer,
    }
