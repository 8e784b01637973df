"""An incoming webhook: verified, stored, answered. Whatever it means is found out later (``processing.py``)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import DataError, transaction

from payments.stripe.connect import connection_for_event, note_webhook
from payments.stripe.models import StripeConnection, StripeEvent

State = StripeEvent.State

MAX_BODY = 1024 * 1024

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,255}", re.ASCII)
_TYPE = re.compile(r"[a-z0-9_.]{1,64}", re.ASCII)


class Malformed(Exception):
    """Signed, but nothing that can be read as an event. The message says why."""


@dataclass(frozen=True)
class Incoming:
    """What is taken from a webhook's body: which object to look at, and whose it is."""

    event_id: str
    account_id: str
    livemode: bool
    type: str
    object_type: str
    object_id: str
    body: Mapping[str, Any]


def parse(raw: bytes) -> Incoming:
    """Raises ``Malformed``."""
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise Malformed("The body is not JSON.") from error
    if not isinstance(body, dict) or body.get("object") != "event":
        raise Malformed("The body is not an event.")
    subject = _mapping(_mapping(body.get("data")).get("object"))
    if not isinstance(body.get("livemode"), bool):
        raise Malformed("The event does not say whether it is live.")
    return Incoming(
        event_id=_matching(_ID, body.get("id"), "id"),
        account_id=_optional(body.get("account"))[:64],
        livemode=body["livemode"],
        type=_matching(_TYPE, body.get("type"), "type"),
        object_type=_optional(subject.get("object"))[:64],
        object_id=_optional(subject.get("id")),
        body=body,
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _matching(pattern: re.Pattern[str], value: object, name: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Malformed(f"The event has no usable {name}.")
    return value


def _optional(value: object) -> str:
    return value if isinstance(value, str) and _ID.fullmatch(value) else ""


def store(incoming: Incoming, *, real_now: datetime) -> StripeEvent:
    """Keep it once, however often it is delivered, and note that the account's webhooks arrive."""
    connection = connection_for_event(incoming.account_id, incoming.livemode)
    reason = "" if connection else _foreign(incoming)
    with transaction.atomic():
        _insert(incoming, reason, real_now)
        if connection is not None:
            note_webhook(connection, real_now)
        return StripeEvent.objects.defer("body").get(account_id=incoming.account_id, event_id=incoming.event_id)


def _insert(incoming: Incoming, reason: str, real_now: datetime) -> None:
    try:
        with transaction.atomic():
            _insert_row(incoming, incoming.body, reason, real_now)
    except DataError:
        # Legal JSON that PostgreSQL's jsonb does not hold (NUL, lone surrogates). Nothing is taken
        # from the body anyway.
        _insert_row(incoming, {"id": incoming.event_id, "type": incoming.type}, reason, real_now)


def _insert_row(incoming: Incoming, body: Mapping[str, Any], reason: str, real_now: datetime) -> None:
    event = StripeEvent(
        event_id=incoming.event_id,
        account_id=incoming.account_id,
        livemode=incoming.livemode,
        type=incoming.type,
        object_type=incoming.object_type,
        object_id=incoming.object_id,
        body=body,
        state=State.IGNORED if reason else State.PENDING,
        reason=reason,
        received_at=real_now,
        processed_at=real_now if reason else None,
    )
    StripeEvent.objects.bulk_create([event], ignore_conflicts=True)


def _foreign(incoming: Incoming) -> str:
    """Why an event is nobody's here."""
    if not incoming.account_id:
        return "The event names no connected account."
    if StripeConnection.objects.filter(account_id=incoming.account_id, disconnected_at__isnull=True).exists():
        mode = "live" if incoming.livemode else "test"
        return f"The account {incoming.account_id} is not connected in {mode} mode."
    return f"The account {incoming.account_id} is not connected to any vendor."
