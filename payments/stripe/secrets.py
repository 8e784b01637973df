"""What webhooks may be signed with, and whose events each secret vouches for.

The platform's secrets, from the environment and from endpoints registered here, vouch for every connected
account. A secret of a vendor's own account vouches for that account alone; its events name no account.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from payments.stripe import signature
from payments.stripe.inbox import Incoming
from payments.stripe.models import StripeConnection, StripeWebhookSecret

# How long the secret before stays good: deliveries under way are signed with it.
OVERLAP = timedelta(hours=24)

FOREIGN = "The signature is that of another account."


def valid(real_now: datetime) -> QuerySet[StripeWebhookSecret]:
    in_time = Q(valid_until__isnull=True) | Q(valid_until__gt=real_now)
    usable = Q(connection__isnull=True) | Q(connection__disconnected_at__isnull=True)
    return StripeWebhookSecret.objects.filter(in_time & usable).exclude(secret="")


def signed_for(body: bytes, header: str, *, real_now: datetime) -> str:
    """The account that the body's signature vouches for, empty: any. Raises ``BadSignature``.

    The environment's secrets first: they ask the database nothing."""
    at = real_now.timestamp()
    with suppress(signature.BadSignature):
        signature.verify(body, header, settings.STRIPE_WEBHOOK_SECRETS, at=at)
        return ""
    known = _known(real_now)
    return known[signature.verify(body, header, known, at=at)]


def _known(real_now: datetime) -> Mapping[str, str]:
    """Each secret, and the account it is limited to (empty: the platform's)."""
    rows = valid(real_now).select_related("connection").order_by("pk")
    stored = {row.secret: row.connection.account_id if row.connection else "" for row in rows}
    return {**stored, **dict.fromkeys(settings.STRIPE_WEBHOOK_SECRETS, "")}


def attributed(incoming: Incoming, account_id: str) -> Incoming:
    """The event as one of the account its signature vouches for. Raises ``BadSignature`` for one of another."""
    if not account_id:
        return incoming
    if incoming.account_id not in ("", account_id):
        raise signature.BadSignature(FOREIGN)
    return replace(incoming, account_id=account_id)


def replace_entered(connection: StripeConnection, secret: str, *, real_now: datetime) -> None:
    """Keep a secret that a person entered; the one before stays good for a while."""
    with transaction.atomic():
        entered = valid(real_now).filter(connection=connection, endpoint_id="")
        if any(row.secret == secret and row.valid_until is None for row in entered):
            return
        entered.filter(valid_until__isnull=True).update(valid_until=real_now + OVERLAP)
        StripeWebhookSecret.objects.create(
            connection=connection, livemode=connection.livemode, secret=secret, created_at=real_now
        )
