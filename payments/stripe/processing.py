"""What does a stored event mean for us? The object's present state is fetched from Stripe and applied.

Events come in bursts, twice and in any order, so all pending events of one object are taken together
and answered by one look at it. While one worker looks at an object, others leave it alone; it looks
again for what came in meanwhile. A failure keeps the events, visible, and tries again with growing
pauses; after the last try they wait for a person (``replay``). While it is Stripe that fails, there is
no last try for a day.
"""

from __future__ import annotations

import logging
import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection as database
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from customers.claims import unclaimed
from customers.log_context import about
from invoicing.gateways import GatewayError, GatewayUnavailable
from payments.stripe.connect import connection_for_event
from payments.stripe.customers import pause
from payments.stripe.handlers import handler_for
from payments.stripe.models import StripeConnection, StripeEvent
from payments.stripe.news import Handler, Wait

logger = logging.getLogger(__name__)

State = StripeEvent.State

MOST_ATTEMPTS = 10
# An event that runs ahead of our own record of its invoice is looked at again at this pace.
WAIT = timedelta(seconds=2)
# So long for the record, and for Stripe to answer.
LONGEST_WAIT = timedelta(hours=24)
# One worker was told of each event when it came; after this long the sweeper tells another.
UNTOUCHED = timedelta(seconds=15)
# As long as Stripe itself shows them.
KEPT = timedelta(days=30)

_LOCK_CLASS = 0x737472


def process(event_pk: int, *, real_now: datetime) -> bool:
    """Handle the event and all others that wait for the same object. True when there is more to do at once."""
    event = StripeEvent.objects.filter(pk=event_pk).defer("body").first()
    if event is None:
        return False
    burst = _claim_burst(event, real_now)
    if not burst:
        return False
    connection = connection_for_event(event.account_id, event.livemode)
    groups: dict[Handler | None, list[StripeEvent]] = defaultdict(list)
    for one in burst:
        groups[handler_for(one.type)].append(one)
    for handler, events in groups.items():
        _handle(connection, handler, events, real_now)
    return _pending_of(event).filter(unclaimed(real_now)).exists()


def hand_out(*, real_now: datetime, limit: int = 1000) -> list[int]:
    """Of the events that have arrived since the last time, one for each object. A worker is told of each: the event of
    one that dies is left to the sweeper."""
    with transaction.atomic():
        arrived = StripeEvent.objects.filter(state=State.PENDING, handed_out_at=None).order_by("pk")
        locked = arrived.select_for_update(skip_locked=True, no_key=True)
        rows = list(locked.values_list("pk", "account_id", "livemode", "object_id")[:limit])
        StripeEvent.objects.filter(pk__in=[pk for pk, *_ in rows]).update(handed_out_at=real_now)
    return list({(*subject, subject[-1] or pk): pk for pk, *subject in rows}.values())


def sweep(*, real_now: datetime, limit: int = 200) -> list[int]:
    """Events that need a worker: never picked up, held back long enough, or left behind by one that died."""
    waiting = StripeEvent.objects.filter(unclaimed(real_now), state=State.PENDING)
    fresh = Q(attempts=0, claimed_until__isnull=True, received_at__gt=real_now - UNTOUCHED)
    return list(waiting.exclude(fresh).order_by("pk").values_list("pk", flat=True)[:limit])


def replay(events: QuerySet[StripeEvent]) -> int:
    """Let events be processed once more, whatever became of them. The sweeper takes them up.

    Those of accounts that are nobody's here are left alone: there is nobody to process them for."""
    waiting = events.filter(connected()).exclude(state=State.PENDING, claim_token__isnull=False)
    return waiting.update(
        state=State.PENDING, reason="", attempts=0, awaits_invoice=False, processed_at=None,
        claim_token=None, claimed_until=None,
    )  # fmt: skip


def connected() -> Exists:
    """The account an event is of is connected in the event's mode."""
    mine = StripeConnection.objects.filter(
        account_id=OuterRef("account_id"), livemode=OuterRef("livemode"), disconnected_at__isnull=True
    )
    return Exists(mine)


def set_aside(events: QuerySet[StripeEvent], *, by: str, real_now: datetime) -> int:
    """A person has looked at failures and wants no more of them."""
    failed = events.filter(state=State.FAILED)
    return failed.update(state=State.IGNORED, reason=f"Set aside by {by}.", processed_at=real_now)


def prune(*, real_now: datetime, batch: int = 1000) -> int:
    """Forget events that were dealt with, thirty days after they came. Those that failed stay until somebody
    replays them or sets them aside. Answers how many are gone; fewer than ``batch`` means that none are left."""
    done = StripeEvent.objects.filter(state__in=(State.PROCESSED, State.IGNORED), received_at__lt=real_now - KEPT)
    ids = list(done.order_by("received_at").values_list("pk", flat=True)[:batch])
    return done.filter(pk__in=ids).delete()[0]


def _pending_of(event: StripeEvent) -> QuerySet[StripeEvent]:
    """All that waits for the same object; events of no object stand alone."""
    pending = StripeEvent.objects.filter(state=State.PENDING)
    if not event.object_id:
        return pending.filter(pk=event.pk)
    return pending.filter(account_id=event.account_id, livemode=event.livemode, object_id=event.object_id)


def _claim_burst(event: StripeEvent, real_now: datetime) -> list[StripeEvent]:
    """Take every pending event of the object, or none while somebody else is at it."""
    token = uuid.uuid4()
    with transaction.atomic():
        _lock(f"{event.account_id} {event.livemode} {event.object_id or event.pk}")
        pending = _pending_of(event)
        if pending.filter(claim_token__isnull=False, claimed_until__gt=real_now).exists():
            return []
        pending.update(claim_token=token, claimed_until=real_now + settings.CLAIM_LEASE)
    return list(pending.filter(claim_token=token).order_by("pk"))


def _lock(name: str) -> None:
    """Held to the end of the transaction."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_LOCK_CLASS, name])


def _handle(
    connection: StripeConnection | None, handler: Handler | None, events: Sequence[StripeEvent], real_now: datetime
) -> None:
    if handler is None:
        return _finish(events, "Events of this type are not used.", real_now)
    if connection is None:
        return _finish(events, "The account was disconnected meanwhile.", real_now)
    with about(vendor=connection.vendor.name, stripe_event=events[0].event_id):
        return _look(connection, handler, events, real_now)


def _look(connection: StripeConnection, handler: Handler, events: Sequence[StripeEvent], real_now: datetime) -> None:
    try:
        reason = handler(connection, events, real_now)
    except Wait as wait:
        return _wait(events, str(wait), real_now)
    except GatewayUnavailable as error:
        return _fail(events, error.message, real_now, hopeless=Q(received_at__lt=real_now - LONGEST_WAIT))
    except GatewayError as error:
        return _fail(events, error.message, real_now)
    except Exception as error:
        logger.exception("Stripe event %s could not be processed", events[0].event_id)
        return _fail(events, f"{type(error).__name__}: {error}", real_now)
    return _finish(events, reason, real_now)


def _rows(events: Sequence[StripeEvent]) -> QuerySet[StripeEvent]:
    """Only while the claim is still ours."""
    return StripeEvent.objects.filter(pk__in=[e.pk for e in events], claim_token=events[0].claim_token)


def _finish(events: Sequence[StripeEvent], reason: str, real_now: datetime) -> None:
    state = State.IGNORED if reason else State.PROCESSED
    _rows(events).update(
        state=state, reason=reason, processed_at=real_now, awaits_invoice=False, claim_token=None, claimed_until=None
    )


def _wait(events: Sequence[StripeEvent], reason: str, real_now: datetime) -> None:
    """Not a failure: what the event is about is being written at this moment."""
    rows = _rows(events)
    rows.filter(received_at__lt=real_now - LONGEST_WAIT).update(
        state=State.FAILED, reason=reason, claim_token=None, claimed_until=None
    )
    rows.update(awaits_invoice=True, reason=reason, claim_token=None, claimed_until=real_now + WAIT)


def _fail(
    events: Sequence[StripeEvent],
    reason: str,
    real_now: datetime,
    hopeless: Q = Q(attempts__gte=MOST_ATTEMPTS - 1),  # noqa: B008 - a Q never changes
) -> None:
    """It waits for its pause now, for no invoice: who waits for invoices, a moving clock above all, would ask Stripe
    again at once, and use up every try within a second."""
    tried = min(event.attempts for event in events) + 1
    told = {"reason": reason, "attempts": F("attempts") + 1, "awaits_invoice": False}
    rows = _rows(events)
    rows.filter(hopeless).update(**told, state=State.FAILED, claim_token=None, claimed_until=None)
    rows.update(**told, claim_token=None, claimed_until=real_now + pause(tried))
