"""Living through the months: the vendor's clock is moved, and everything that falls due happens."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from customers import clock
from customers.actors import Actor
from customers.vendor import Vendor

# Looking is not free: while workers are at something, they are left the processor.
PAUSES_SECONDS = (0.03, 0.05, 0.1, 0.2)
# Real time within which the clock has to get on: longer than an unanswered call and its retries.
STUCK_SECONDS = 120.0


class Stuck(Exception):
    """The clock stands still although nothing but waiting is left to do."""


def begin_at(vendor: Vendor, moment: datetime, real_now: datetime) -> None:
    """Start the story in the past. Only for a vendor that nothing has happened to yet."""
    _set_offset(vendor, moment - real_now, created_at=moment)


def arrive(vendor: Vendor) -> None:
    """The present is reached: from here on the vendor's clock is the real one."""
    _set_offset(vendor, timedelta(0))


def _set_offset(vendor: Vendor, offset: timedelta, **changes: datetime) -> None:
    with transaction.atomic():
        row = Vendor.objects.select_for_update(no_key=True).get(pk=vendor.pk)
        row.clock_offset = vendor.clock_offset = offset
        for name, value in changes.items():
            setattr(row, name, value)
        row.save(update_fields=["clock_offset", *changes])
        for participant in clock.participants():
            participant.follow(row)


def travel(vendor: Vendor, target: datetime, actor: Actor) -> None:
    """Move on to ``target`` and return when everything up to there has happened."""
    settle(vendor)
    if vendor.now(timezone.now()) < target:
        clock.move_forward(vendor, target, actor=actor, real_now=timezone.now())
        settle(vendor)


def settle(vendor: Vendor) -> None:
    """Drive the clock until it runs again. Workers may be driving too: then this waits for them."""
    vendor.refresh_from_db()
    stands_at, since, looks = vendor.clock_frozen_at, time.monotonic(), 0
    while vendor.clock_is_advancing:
        clock.drive(vendor.pk, real_now=timezone.now())
        vendor.refresh_from_db(fields=["clock_frozen_at", "clock_target", "clock_offset"])
        if vendor.clock_frozen_at != stands_at:
            stands_at, since, looks = vendor.clock_frozen_at, time.monotonic(), 0
        elif time.monotonic() - since > STUCK_SECONDS:
            raise Stuck(f"Nothing has moved for {STUCK_SECONDS:.0f} s at {stands_at}: is a worker running?")
        if vendor.clock_is_advancing:
            time.sleep(PAUSES_SECONDS[min(looks, len(PAUSES_SECONDS) - 1)])
            looks += 1
