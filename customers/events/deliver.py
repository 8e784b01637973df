"""Deliveries: claim, post, record. At least once; the receiver tells repeats by ``idempotency_key``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

import requests
from django.conf import settings
from django.db.models import QuerySet
from requests_hardened import Config, HTTPSession, Manager

from customers.claims import claim
from customers.events.models import DeliveryState, Event, WebhookDelivery
from customers.events.signature import signature_headers

TIMEOUT = (3.05, 10)

# Spacing of the tries after the first, in real time: about three days in all.
BACKOFF = tuple(timedelta(minutes=m) for m in (1, 5, 15, 30, 60, 120, 240, 480, 720, 1440, 1440))


@dataclass(frozen=True)
class Answer:
    """What came of one try. ``status`` is None when nobody answered."""

    status: int | None
    error: str = ""

    @property
    def is_delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def session() -> HTTPSession:
    """Addresses are resolved and judged at each connection, and the connection goes to the judged address."""
    config = Config(
        ip_filter_enable=True,
        ip_filter_allow_loopback_ips=settings.WEBHOOKS_ALLOW_LOOPBACK,
        never_redirect=True,
        default_timeout=TIMEOUT,
        user_agent_override="Billing-Portal-Webhooks/1",
    )
    return Manager(config).get_session()


def deliver_pending(*, real_now: datetime, limit: int = 100, vendor_id: int | None = None) -> int:
    """Try pending deliveries whose time has come, oldest first. Returns how many were tried."""
    due = WebhookDelivery.objects.filter(state=DeliveryState.PENDING, next_attempt_at__lte=real_now).order_by("pk")
    if vendor_id is not None:
        due = due.filter(event__vendor_id=vendor_id)
    _, ids = claim(due, real_now=real_now, lease=settings.CLAIM_LEASE, limit=limit)
    if not ids:
        return 0
    rows = WebhookDelivery.objects.select_related("endpoint", "event").filter(pk__in=ids).order_by("pk")
    with session() as http:
        for delivery in rows:
            record_answer(delivery, post(http, delivery, real_now=real_now), real_now=real_now)
    return len(ids)


def body_of(event: Event) -> bytes:
    """Thin on purpose: names only, the receiver reads details over the API."""
    envelope = {"event_type": event.kind, "idempotency_key": event.uuid.hex, "data": event.payload}
    return json.dumps(envelope, separators=(",", ":")).encode()


def post(http: requests.Session, delivery: WebhookDelivery, *, real_now: datetime) -> Answer:
    body = body_of(delivery.event)
    headers = {"Content-Type": "application/json"}
    if delivery.endpoint.enable_signature:
        headers |= signature_headers(delivery.endpoint.secret, delivery.event.uuid.hex, body, real_now=real_now)
    try:
        response = http.post(delivery.endpoint.url, data=body, headers=headers, timeout=TIMEOUT, stream=True)
    except requests.RequestException as error:
        return Answer(None, f"{type(error).__name__}: {error}"[:1000])
    with response:
        return Answer(response.status_code, "" if response.ok else f"The endpoint answered {response.status_code}.")


def record_answer(delivery: WebhookDelivery, answer: Answer, *, real_now: datetime) -> None:
    delivery.attempts += 1
    delivery.response_status, delivery.last_error = answer.status, answer.error
    delivery.claim_token = delivery.claimed_until = None
    if answer.is_delivered:
        delivery.state, delivery.delivered_at, delivery.next_attempt_at = DeliveryState.DELIVERED, real_now, None
    elif delivery.attempts > len(BACKOFF):
        delivery.state, delivery.next_attempt_at = DeliveryState.FAILED, None
    else:
        delivery.next_attempt_at = real_now + BACKOFF[delivery.attempts - 1]
    delivery.save()


def untried(vendor_id: int) -> QuerySet[WebhookDelivery]:
    """Deliveries that were never attempted."""
    return WebhookDelivery.objects.filter(event__vendor_id=vendor_id, state=DeliveryState.PENDING, attempts=0)
