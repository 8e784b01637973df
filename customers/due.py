"""Which rows are due, for vendors on real time and for those whose clock was moved.

Real-time vendors are found by one index on ``next_action_at``, however many customers there are; vendors
with a moved clock are few and asked for one by one. Vendors on their way to another time are left to
their driver (``customers/clock.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Q

from customers.vendor import Vendor


def due_everywhere(real_now: datetime, column: str = "next_action_at") -> Iterator[Q]:
    """Conditions on a row with ``vendor`` and ``next_action_at``, one for each kind of clock.

    ``column`` names another moment in the vendor's time.
    """
    on_real_time = Q(vendor__clock_offset=timedelta(0), vendor__clock_target__isnull=True)
    yield Q(**{f"{column}__lte": real_now}) & on_real_time
    moved = Vendor.objects.filter(is_test=True, clock_target__isnull=True).exclude(clock_offset=timedelta(0))
    for vendor in moved:
        yield due_at(vendor, vendor.now(real_now), column)


def due_at(vendor: Vendor, now: datetime, column: str = "next_action_at") -> Q:
    """The same for one vendor; ``now`` is its own time."""
    return Q(**{"vendor": vendor, f"{column}__lte": now})
