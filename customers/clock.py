"""Moving a test vendor's clock.

``POST /test_clock`` stores the target and answers at once. ``drive`` then stops at each due moment in
turn, lets every room settle there, and goes on, until the target is reached with nothing left to do.
Rooms take part by registering a ``Participant`` in their ``AppConfig.ready``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Protocol

from django.db import connection, transaction

from customers.actors import Actor
from customers.errors import Invalid
from customers.events.models import EventKind, SubjectKind
from customers.events.record import Fact, record
from customers.vendor import Vendor

# A driver looks at real time again after so many moments.
STEPS = 20

# The clock's finest grain while it is moved: about what beat's tick is for everybody else.
TICK = timedelta(seconds=10)


class Participant(Protocol):
    """A room that does things when their time comes."""

    def next_due(self, vendor: Vendor, *, after: datetime) -> datetime | None:
        """The vendor-time moment of the earliest planned thing after this one, however far ahead."""

    def last_due(self, vendor: Vendor, *, by: datetime) -> datetime | None:
        """The moment of the latest planned thing that is not after ``by``."""

    def settle(self, vendor: Vendor, *, now: datetime, real_now: datetime) -> bool:
        """Do, or hand to workers, what is due at ``now``. True while something is still under way."""

    def follow(self, vendor: Vendor) -> None:
        """The vendor's clock has changed; runs in the transaction of that change."""


_participants: list[Participant] = []


def register(participant: Participant) -> None:
    _participants.append(participant)


def participants() -> tuple[Participant, ...]:
    return tuple(_participants)


def move_forward(vendor: Vendor, target: datetime, *, actor: Actor, real_now: datetime) -> Vendor:
    """Set a test vendor's clock on its way to ``target``. Raises ``Invalid``: live vendor, or not forward."""
    with transaction.atomic():
        vendor = Vendor.objects.select_for_update(no_key=True).get(pk=vendor.pk)
        now = vendor.now(real_now)
        _check_move(vendor, target, now)
        vendor.clock_target, vendor.clock_frozen_at = target, now
        vendor.save(update_fields=["clock_target", "clock_frozen_at"])
        fact = Fact(
            EventKind.CLOCK_MOVED,
            SubjectKind.VENDOR,
            vendor.pk,
            details={"from": now.isoformat(), "to": target.isoformat()},
        )
        record(vendor, fact, actor=actor, now=now, real_now=real_now)
        _tell_followers(vendor)
    return vendor


def _check_move(vendor: Vendor, target: datetime, now: datetime) -> None:
    if not vendor.is_test:
        raise Invalid({"now": "Only a vendor in test mode has a clock that can be moved."})
    if target < (vendor.clock_target or now):
        at = (vendor.clock_target or now).isoformat()
        raise Invalid({"now": f"The clock only moves forward. Give a time after {at}."})


def drive(vendor_id: int, *, real_now: datetime) -> bool:
    """Settle at the present moment and, where nothing is under way, step to the next ones. True while there is
    more to do.

    Only one driver a vendor works at a time; another answers False at once and leaves it to the first.
    """
    with driving(vendor_id) as mine:
        for _ in range(STEPS if mine else 0):
            vendor = Vendor.objects.get(pk=vendor_id)
            if vendor.clock_frozen_at is None:
                return False
            now = vendor.clock_frozen_at
            # Every room gets its turn in each pass, so no short-circuit.
            busy = [p.settle(vendor, now=now, real_now=real_now) for p in _participants]
            if any(busy):
                return True
            _step(vendor, now, real_now)
        return mine


def _step(vendor: Vendor, now: datetime, real_now: datetime) -> None:
    """Nothing is due: stand at the next due moment, or arrive."""
    with transaction.atomic():
        vendor = Vendor.objects.select_for_update(no_key=True).get(pk=vendor.pk)
        assert vendor.clock_target is not None  # noqa: S101 - frozen and target go together by constraint
        vendor.clock_frozen_at = min(_next_stop(vendor, now) or vendor.clock_target, vendor.clock_target)
        if now == vendor.clock_target:
            vendor.clock_offset = vendor.clock_target - real_now
            vendor.clock_target = vendor.clock_frozen_at = None
        vendor.save(update_fields=["clock_offset", "clock_target", "clock_frozen_at"])
        _tell_followers(vendor)


def next_moment(vendor: Vendor, now: datetime) -> datetime | None:
    """When the next thing falls due after ``now``, in any room; None: nothing is planned."""
    ahead = (due for p in _participants if (due := p.next_due(vendor, after=now)) is not None)
    return min(ahead, default=None)


def _next_stop(vendor: Vendor, now: datetime) -> datetime | None:
    """The next due moment; what falls due within a tick of it is taken in the same stop, as beat would."""
    first = next_moment(vendor, now)
    if first is None:
        return None
    lasts = [last for p in _participants if (last := p.last_due(vendor, by=first + TICK)) is not None]
    return max([first, *lasts])


def _tell_followers(vendor: Vendor) -> None:
    for participant in _participants:
        participant.follow(vendor)


# Any number will do, so long as nothing else in this database takes advisory locks in the same class.
_LOCK_CLASS = 0x636C6B


@contextmanager
def driving(vendor_id: int) -> Iterator[bool]:
    """Whether this process is the vendor's only driver, until the end of the block; it may be entered again inside.

    A session lock, not a time-based one: it ends with the process that holds it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOCK_CLASS, vendor_id])
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCK_CLASS, vendor_id])
