"""Our webhook endpoint at Stripe: registered from here, with exactly the events we handle and the pinned version.

A platform has one for each mode, for all its connected accounts (``connect=true``); an account with keys of
its own has its own. Registering again brings the endpoint up to date; with ``rotate`` another takes its place,
and the secret before stays good for a day.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection as database
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse

from customers.actors import Actor
from customers.events.models import EventKind
from invoicing.gateways import GatewayError, GatewayRejected
from payments.stripe import standing
from payments.stripe.client import API_VERSION, PlatformClient
from payments.stripe.handlers import SUBSCRIBED
from payments.stripe.models import StripeConnection, StripeWebhookSecret
from payments.stripe.secrets import OVERLAP

logger = logging.getLogger(__name__)

# Stripe keeps idempotency keys for 24 hours; older ones are treated as new.
KEYS_LAST = timedelta(hours=23)

_LOCK_CLASS = 0x776562


def our_url() -> str:
    return f"{settings.PUBLIC_URL}{reverse('stripe-webhook')}"


def registered(connection: StripeConnection | None, livemode: bool) -> StripeWebhookSecret | None:
    """The endpoint at Stripe that we know of: the connection's own, or with None the platform's."""
    return _present(connection, livemode).exclude(endpoint_id="").order_by("-pk").first()


def _present(connection: StripeConnection | None, livemode: bool) -> QuerySet[StripeWebhookSecret]:
    owner: Mapping[str, Any] = {"connection": connection} if connection else {"connection__isnull": True}
    return StripeWebhookSecret.objects.filter(**owner, livemode=livemode, valid_until__isnull=True)


def register(
    connection: StripeConnection | None,
    *,
    livemode: bool,
    actor: Actor,
    real_now: datetime,
    url: str = "",
    rotate: bool = False,
) -> StripeWebhookSecret:
    """Raises ``GatewayError``. Safe to repeat after a lost answer: Stripe makes one endpoint."""
    client = PlatformClient(livemode, connection.secret_key if connection else "")
    before = registered(connection, livemode)
    wanted: dict[str, Any] = {"url": url or our_url(), "enabled_events": list(SUBSCRIBED)}
    if before is not None and not rotate and _is_brought_up_to_date(client, before, wanted):
        return before
    made = _create(client, _claim(connection, livemode, wanted["url"], real_now), wanted)
    if before is not None:
        _retire(client, before, real_now)
    if connection is not None:
        details = {"endpoint": made.endpoint_id, "url": made.url}
        standing.tell(connection, EventKind.STRIPE_ENDPOINT_REGISTERED, details, actor=actor, real_now=real_now)
    return made


def _is_brought_up_to_date(client: PlatformClient, known: StripeWebhookSecret, wanted: Mapping[str, Any]) -> bool:
    """False when it cannot be: it is gone, or Stripe renders its events in another version, which never changes."""
    try:
        found = client.update_webhook_endpoint(known.endpoint_id, {**wanted, "disabled": False})
    except GatewayRejected as error:
        if error.code == "resource_missing":
            return False
        raise
    StripeWebhookSecret.objects.filter(pk=known.pk).update(url=wanted["url"])
    return found.get("api_version") == API_VERSION


def _claim(connection: StripeConnection | None, livemode: bool, url: str, real_now: datetime) -> StripeWebhookSecret:
    """The row, committed, that says what is about to be asked of Stripe; the one whose answer was lost, if any."""
    with transaction.atomic(), database.cursor() as cursor:
        # Two who ask at once share the row and its key, and so one endpoint.
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [_LOCK_CLASS])
        lost = _present(connection, livemode).filter(secret="", url=url, created_at__gt=real_now - KEYS_LAST)
        return lost.first() or StripeWebhookSecret.objects.create(
            connection=connection,
            livemode=livemode,
            url=url,
            idempotency_key=f"webhook-endpoint-{uuid.uuid4().hex}",
            created_at=real_now,
        )


def _create(client: PlatformClient, row: StripeWebhookSecret, wanted: Mapping[str, Any]) -> StripeWebhookSecret:
    params = {**wanted, "api_version": API_VERSION, "description": "Billing Portal"}
    if row.connection_id is None:
        params["connect"] = True
    try:
        made = client.create_webhook_endpoint(params, key=row.idempotency_key)
    except GatewayRejected:
        row.delete()
        raise
    row.endpoint_id, row.secret = made["id"], made["secret"]
    row.save(update_fields=["endpoint_id", "secret"])
    return row


def _retire(client: PlatformClient, before: StripeWebhookSecret, real_now: datetime) -> None:
    """Its secret stays good for what is under way. An endpoint that cannot be deleted only tells us things twice."""
    StripeWebhookSecret.objects.filter(pk=before.pk).update(valid_until=real_now + OVERLAP)
    try:
        client.delete_webhook_endpoint(before.endpoint_id)
    except GatewayError as error:
        logger.warning("The webhook endpoint %s stays at Stripe: %s", before.endpoint_id, error.message)


def forget(connection: StripeConnection) -> None:
    """The account is about to be disconnected: take its endpoint away and forget its secrets."""
    if known := registered(connection, connection.livemode):
        try:
            PlatformClient(connection.livemode, connection.secret_key).delete_webhook_endpoint(known.endpoint_id)
        except GatewayError as error:
            logger.warning("The webhook endpoint %s stays at Stripe: %s", known.endpoint_id, error.message)
    StripeWebhookSecret.objects.filter(connection=connection).delete()
