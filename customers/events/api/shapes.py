"""How webhook endpoints and deliveries look in answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from customers.events.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint


def webhook_shape(endpoint: WebhookEndpoint) -> dict[str, Any]:
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


def delivery_shape(delivery: WebhookDelivery, *, tries: Iterable[WebhookAttempt] = ()) -> dict[str, Any]:
    return {
        "id": str(delivery.pk),
        "event_type": delivery.event.kind,
        "idempotency_key": delivery.event.uuid.hex,
        "state": delivery.state,
        "created_at": delivery.created_at,
        "next_attempt_at": delivery.next_attempt_at,
        "delivered_at": delivery.delivered_at,
        "attempts": [attempt_shape(attempt) for attempt in sorted(tries, key=lambda attempt: attempt.pk)],
    }


def attempt_shape(attempt: WebhookAttempt) -> dict[str, Any]:
    return {
        "attempted_at": attempt.attempted_at,
        "duration_ms": attempt.duration_ms,
        "status": attempt.status,
        "error": attempt.error,
        "answer": attempt.answer,
    }
