"""The vendor's webhook endpoints: where its own systems listen."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from customers.actors import Actor
from customers.errors import Conflict, Invalid
from customers.events.dispatch import delivery_of, number
from customers.events.models import (
    PUBLIC_KINDS,
    DeliveryState,
    EventKind,
    SubjectKind,
    WebhookDelivery,
    WebhookEndpoint,
    new_secret,
)
from customers.events.nudge import nudge_after_commit
from customers.events.record import Fact, build_event
from customers.vendor import Vendor

# After a roll the old secret signs for so long too.
OVERLAP = timedelta(hours=24)

_LONGEST = 1000


def register_endpoint(
    vendor: Vendor,
    url: str,
    *,
    enable_signature: bool = True,
    description: str = "",
    event_types: Sequence[str] = (),
    real_now: datetime,
) -> WebhookEndpoint:
    """Events from now on are told to ``url``. Raises ``Invalid``."""
    check_url(url)
    return WebhookEndpoint.objects.create(
        vendor=vendor,
        url=url,
        enable_signature=enable_signature,
        description=description,
        event_types=_kinds(event_types),
        created_at=real_now,
    )


def change_endpoint(endpoint: WebhookEndpoint, changes: Mapping[str, Any], *, real_now: datetime) -> WebhookEndpoint:
    """Only what is given changes; ``enabled`` switches it on or off. Raises ``Invalid``."""
    columns = dict(changes)
    if "url" in columns:
        check_url(columns["url"])
    if "event_types" in columns:
        columns["event_types"] = _kinds(columns["event_types"])
    enabled = columns.pop("enabled", None)
    if enabled is not None and enabled != (endpoint.disabled_at is None):
        columns |= _enabled() if enabled else {"disabled_at": real_now, "disabled_reason": "It was switched off."}
    for name, value in columns.items():
        setattr(endpoint, name, value)
    if columns:
        endpoint.save(update_fields=list(columns))
    return endpoint


def _enabled() -> dict[str, Any]:
    """A fresh start: what waits is sent at once, and the three days begin anew."""
    fresh = dict.fromkeys(("disabled_at", "failing_since", "held_until"))
    return {**fresh, "disabled_reason": "", "is_notice_due": False}


def _kinds(event_types: Sequence[str]) -> list[str]:
    unknown = sorted(set(event_types) - PUBLIC_KINDS)
    if unknown:
        raise Invalid(
            {"event_types": f"There is no event {unknown[0]!r}. There are: {', '.join(sorted(PUBLIC_KINDS))}."}
        )
    return list(dict.fromkeys(event_types))


def roll_secret(endpoint: WebhookEndpoint, *, real_now: datetime) -> WebhookEndpoint:
    """A new secret at once; for ``OVERLAP`` deliveries carry signatures of both."""
    endpoint.previous_secret, endpoint.previous_secret_until = endpoint.secret, real_now + OVERLAP
    endpoint.secret = new_secret()
    endpoint.save(update_fields=["secret", "previous_secret", "previous_secret_until"])
    return endpoint


def send_test(endpoint: WebhookEndpoint, *, actor: Actor, now: datetime, real_now: datetime) -> WebhookDelivery:
    """Tell this endpoint alone that it works. Raises ``Conflict`` where it is disabled."""
    _refuse_disabled(endpoint)
    fact = Fact(EventKind.WEBHOOK_TEST, SubjectKind.WEBHOOK, endpoint.pk, payload={"description": endpoint.description})
    event = build_event(endpoint.vendor, fact, actor=actor, now=now, real_now=real_now)
    event.dispatched_at = real_now
    with transaction.atomic():
        # One at a time, so that no number is given twice.
        WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
        number(endpoint.vendor_id, [event])
        event.save(force_insert=True)
        delivery = delivery_of(event, endpoint, real_now)
        delivery.save()
    return delivery


def send_again(delivery: WebhookDelivery, *, real_now: datetime) -> WebhookDelivery:
    """Once more, now, whatever became of it, beside what else waits. Raises ``Conflict``: disabled."""
    endpoint = delivery.endpoint
    _refuse_disabled(endpoint)
    with transaction.atomic():
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(held_until=None)
        delivery.state, delivery.next_attempt_at, delivery.is_aside = DeliveryState.PENDING, real_now, True
        delivery.save(update_fields=["state", "next_attempt_at", "is_aside"])
        nudge_after_commit(told=True)
    return delivery


def delete_endpoint(endpoint: WebhookEndpoint) -> None:
    """With its deliveries and their attempts; a delivery that is under way is recorded before, or not at all."""
    with transaction.atomic():
        list(WebhookEndpoint.objects.select_for_update().filter(pk=endpoint.pk).values_list("pk"))
        endpoint.delete()


def _refuse_disabled(endpoint: WebhookEndpoint) -> None:
    if endpoint.disabled_at:
        raise Conflict(f"{endpoint} is disabled. Enable it first.", code="endpoint_disabled")


def check_url(url: str) -> None:
    """Refuses what can be seen to be unreachable or private. Where a name leads is judged at each delivery."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # reading it raises where it is no number
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or len(url) > _LONGEST or not url.isprintable():
        raise Invalid({"url": "Give a full address, for example https://example.com/webhooks."})
    if _is_loopback(host):
        if not settings.WEBHOOKS_ALLOW_LOOPBACK:
            raise Invalid({"url": f"{host} is this machine. Give an address that is reachable from here."})
    elif (address := _literal(host)) and not address.is_global:
        raise Invalid({"url": f"{host} is a private address. Give one that is reachable over the internet."})


def _is_loopback(host: str) -> bool:
    address = _literal(host)
    return address.is_loopback if address else host == "localhost" or host.endswith(".localhost")


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
