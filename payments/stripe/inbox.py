"""An incoming webhook: verified, stored, answered. Whatever it means is found out later (``processing.py``)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from django.db import DataError, transaction
from django.db import connection as database
from django.db.models import QuerySet

from customers.nudging import Nudge
from payments.stripe import tally
from payments.stripe.connect import note_webhook
from payments.stripe.models import StripeConnection, StripeEvent

State = StripeEvent.State
Source = StripeEvent.Source

MAX_BODY = 1024 * 1024

# Answered by the task that hands out what has arrived.
ARRIVALS = Nudge("stripe-events:nudged")

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
    api_version: str
    body: Mapping[str, Any]


def parse(raw: bytes) -> Incoming:
    """Raises ``Malformed``."""
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise Malformed("The body is not JSON.") from error
    return read(body)


def read(body: object) -> Incoming:
    """An event as Stripe shows it, delivered or listed. Raises ``Malformed``."""
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
        api_version=_optional(body.get("api_version"))[:64],
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


def store(incoming: Incoming, *, real_now: datetime) -> None:
    """Keep it once, however often it is delivered, and note that the account's webhooks arrive."""
    connection = _whose(incoming)
    if not _keep_once(_row(incoming, connection, real_now)):
        _seen(incoming).filter(source=Source.POLL).update(source=Source.WEBHOOK)  # it was only late
    elif connection is not None:
        tally.note_version(incoming, real_now=real_now)
    if connection is not None:
        note_webhook(connection, real_now)


def _whose(incoming: Incoming) -> StripeConnection | None:
    """``connection_for_event`` with what is needed here, in words of our own: asked for each webhook, the query would
    take longer to put together than to answer."""
    statement = f"""
        SELECT id, vendor_id, last_webhook_at FROM {StripeConnection._meta.db_table}
        WHERE account_id = %s AND livemode = %s AND disconnected_at IS NULL
    """  # noqa: S608 - the model's own name
    found = StripeConnection.objects.raw(statement, [incoming.account_id, incoming.livemode])
    return next(iter(found), None)


def _seen(incoming: Incoming) -> QuerySet[StripeEvent]:
    return StripeEvent.objects.filter(account_id=incoming.account_id, event_id=incoming.event_id)


def _keep_once(row: StripeEvent) -> bool:
    """With one statement, which commits by itself. False: it is here already."""
    try:
        with _guarded():
            return _insert_one(row)
    except DataError:
        return _insert_one(_without_body(row))


def _guarded() -> AbstractContextManager[Any]:
    """An error of a statement on its own leaves nothing behind; in a transaction it needs a savepoint."""
    return transaction.atomic() if database.in_atomic_block else nullcontext()


def _insert_one(row: StripeEvent) -> bool:
    fields, statement = _insertion()
    values = [field.get_db_prep_save(getattr(row, field.attname), database) for field in fields]
    with database.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone() is not None


@cache
def _insertion() -> tuple[list[Any], str]:
    fields = [field for field in StripeEvent._meta.concrete_fields if not field.primary_key]
    names, marks = ", ".join(f'"{field.column}"' for field in fields), ", ".join(["%s"] * len(fields))
    table = database.ops.quote_name(StripeEvent._meta.db_table)
    return fields, (
        f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT (account_id, event_id) DO NOTHING RETURNING id"  # noqa: S608 - the model's own names
    )


def store_missed(
    connection: StripeConnection, incoming: Sequence[Incoming], *, real_now: datetime
) -> list[StripeEvent]:
    """Keep those of an account's events that were never delivered; answers them. A constant number of queries."""
    # Events read with an account's own key name no account.
    incoming = [replace(one, account_id=connection.account_id) for one in incoming]
    ids = [one.event_id for one in incoming]
    known = StripeEvent.objects.filter(account_id=connection.account_id, event_id__in=ids)
    had = set(known.values_list("event_id", flat=True))
    rows = [_row(one, connection, real_now) for one in incoming if one.event_id not in had]
    for row in rows:
        row.source = Source.POLL
    _insert(*rows)
    return list(known.exclude(event_id__in=had).defer("body").order_by("pk"))


def _insert(*rows: StripeEvent) -> None:
    try:
        with transaction.atomic():
            StripeEvent.objects.bulk_create(rows, ignore_conflicts=True)
    except DataError:
        StripeEvent.objects.bulk_create([_without_body(row) for row in rows], ignore_conflicts=True)


def _without_body(row: StripeEvent) -> StripeEvent:
    """Legal JSON that PostgreSQL's jsonb does not hold (NUL, lone surrogates). Nothing is taken from it anyway."""
    row.body = {"id": row.event_id, "type": row.type}
    return row


def _row(incoming: Incoming, connection: StripeConnection | None, real_now: datetime) -> StripeEvent:
    vendor, reason = (connection.vendor_id, "") if connection else _foreign(incoming)
    return StripeEvent(
        vendor_id=vendor,
        event_id=incoming.event_id,
        account_id=incoming.account_id,
        livemode=incoming.livemode,
        type=incoming.type,
        api_version=incoming.api_version,
        object_type=incoming.object_type,
        object_id=incoming.object_id,
        body=incoming.body,
        state=State.IGNORED if reason else State.PENDING,
        reason=reason,
        received_at=real_now,
        processed_at=real_now if reason else None,
    )


def _foreign(incoming: Incoming) -> tuple[int | None, str]:
    """Who may see an event that is for nobody here, and why it is."""
    if not incoming.account_id:
        return None, "The event names no connected account."
    others = StripeConnection.objects.filter(account_id=incoming.account_id, disconnected_at__isnull=True)
    if other := others.first():
        mode = "live" if incoming.livemode else "test"
        return other.vendor_id, f"The account {incoming.account_id} is not connected in {mode} mode."
    return None, f"The account {incoming.account_id} is not connected to any vendor."
