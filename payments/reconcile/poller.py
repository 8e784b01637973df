"""Events that never arrived: every few minutes each account's events are read from where we stopped.

What is found goes through the inbox like a delivery, so that what did arrive vanishes there. While
webhooks arrive, an account costs one call.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from customers.claims import claim, release
from invoicing.gateways import GatewayError, GatewayRejected
from payments.reconcile.models import EventCursor
from payments.stripe import inbox
from payments.stripe.client import client_for
from payments.stripe.handlers import SUBSCRIBED
from payments.stripe.models import StripeConnection, StripeEvent

logger = logging.getLogger(__name__)

JSON = dict[str, Any]

# Events this young may still be on their way to us, or may yet get a neighbour of the same second: they are
# read the next time.
SETTLED = timedelta(minutes=1)
MOST_PAGES = 20

FORGOTTEN = (
    "The last event that was read is older than the thirty days for which Stripe keeps events. All that it still "
    "has is read again; what happened before is found by the nightly comparison."
)


def accounts() -> list[int]:
    """The connections whose events are to be read; each gets its cursor."""
    open_connections = StripeConnection.objects.filter(disconnected_at__isnull=True)
    missing = open_connections.filter(event_cursor__isnull=True)
    EventCursor.objects.bulk_create((EventCursor(connection=c) for c in missing), ignore_conflicts=True)
    return list(open_connections.order_by("pk").values_list("pk", flat=True))


def poll(connection_pk: int, *, real_now: datetime) -> list[StripeEvent]:
    """Read what is new in one account; answers the events that had not arrived. Nothing while another does so."""
    mine = EventCursor.objects.filter(connection_id=connection_pk, connection__disconnected_at__isnull=True)
    _, taken = claim(mine, real_now=real_now, lease=settings.CLAIM_LEASE, limit=1)
    if not taken:
        return []
    cursor = EventCursor.objects.select_related("connection__vendor").get(pk=taken[0])
    try:
        return _read(cursor, real_now)
    except GatewayError as error:
        EventCursor.objects.filter(pk=cursor.pk).update(last_error=error.message)
        logger.warning("The events of %s could not be read: %s", cursor.connection, error.message)
        return []
    finally:
        release(EventCursor, cursor.pk)


def _read(cursor: EventCursor, real_now: datetime) -> list[StripeEvent]:
    missed: list[StripeEvent] = []
    cursor.last_error = ""
    for _ in range(MOST_PAGES):
        try:
            more, found = _upwards(cursor, real_now) if cursor.newest_id else _downwards(cursor, real_now)
        except GatewayRejected as error:
            if error.code != "resource_missing":
                raise
            _forget_place(cursor)
            continue
        missed += found
        if not more:
            break
    return missed


def _upwards(cursor: EventCursor, real_now: datetime) -> tuple[bool, list[StripeEvent]]:
    """The page of events right after the newest we know."""
    page = client_for(cursor.connection).list_page("events", {"ending_before": cursor.newest_id})
    oldest_first = list(reversed(page["data"]))
    settled = _settled(cursor, oldest_first, real_now)
    if settled:
        cursor.newest_id = settled[-1]["id"]
    return page["has_more"] and len(settled) == len(oldest_first), _keep(cursor, settled, real_now)


def _downwards(cursor: EventCursor, real_now: datetime) -> tuple[bool, list[StripeEvent]]:
    """The next older page of all there is."""
    params = {"starting_after": cursor.walked_to} if cursor.walked_to else {}
    page = client_for(cursor.connection).list_page("events", {**params, **_from_the_beginning(cursor.connection)})
    oldest_first = list(reversed(page["data"]))
    settled = _settled(cursor, oldest_first, real_now)
    if settled and not cursor.top_id:
        cursor.top_id = settled[-1]["id"]
    if page["data"]:
        cursor.walked_to = page["data"][-1]["id"]
    if not page["has_more"]:
        cursor.newest_id, cursor.top_id, cursor.walked_to = cursor.top_id, "", ""
    return page["has_more"], _keep(cursor, settled, real_now)


def _from_the_beginning(connection: StripeConnection) -> JSON:
    """What was before the connection is nobody's here. A moved clock says nothing of when that was."""
    if connection.vendor.clock_is_moved:
        return {}
    return {"created": {"gte": int(connection.connected_at.timestamp())}}


def _forget_place(cursor: EventCursor) -> None:
    cursor.last_error = FORGOTTEN if cursor.newest_id else ""
    cursor.newest_id, cursor.top_id, cursor.walked_to = "", "", ""
    cursor.save(update_fields=["newest_id", "top_id", "walked_to", "last_error"])


def _settled(cursor: EventCursor, oldest_first: Sequence[JSON], real_now: datetime) -> list[JSON]:
    """Up to the first that is too young. The account's clock is ours or, in the sandbox, the vendor's."""
    clocks = (real_now, cursor.connection.vendor.now(real_now))
    settled = []
    for event in oldest_first:
        at = datetime.fromtimestamp(event["created"], UTC)
        if any(abs(now - at) < SETTLED for now in clocks):
            break
        settled.append(event)
    return settled


def _keep(cursor: EventCursor, settled: Sequence[JSON], real_now: datetime) -> list[StripeEvent]:
    """Into the inbox, together with how far we have read."""
    told = [_told(cursor.connection, event) for event in settled if event["type"] in SUBSCRIBED]
    mine = [one for one in told if one.livemode == cursor.connection.livemode]
    cursor.read_at = real_now
    with transaction.atomic():
        missed = inbox.store_missed(cursor.connection, mine, real_now=real_now)
        if missed:
            cursor.found_last_at = real_now
        cursor.save(update_fields=["newest_id", "top_id", "walked_to", "read_at", "found_last_at", "last_error"])
    return missed


def _told(connection: StripeConnection, event: JSON) -> inbox.Incoming:
    """Listed in an account, an event is of that account, whether it says so or not."""
    return inbox.read({**event, "account": connection.account_id})
