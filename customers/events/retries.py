"""When a delivery is tried again, and when an endpoint is given up. All in real time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# Spacing of the tries after the first: about three days in all.
BACKOFF = tuple(timedelta(minutes=m) for m in (1, 5, 15, 30, 60, 120, 240, 480, 720, 1440, 1440))

# For so many tries (six minutes) later deliveries to the endpoint wait. After that they go ahead of it.
TRIES_IN_ORDER = 3

# An endpoint that has answered nothing with success for so long is disabled.
GIVE_UP_AFTER = timedelta(days=3)

# A receiver may ask for patience, but not for more than this.
LONGEST_RETRY_AFTER = timedelta(days=1)


def next_try(attempts: int, retry_after: str, *, real_now: datetime) -> datetime | None:
    """After the ``attempts``-th failure; None when that was the last try."""
    if attempts > len(BACKOFF):
        return None
    return max(real_now + BACKOFF[attempts - 1], asked_for(retry_after, real_now) or real_now)


def asked_for(retry_after: str, real_now: datetime) -> datetime | None:
    """The moment a ``Retry-After`` header names, in seconds or as a date; None where it names none."""
    if retry_after.isascii() and retry_after.isdigit():
        return real_now + min(timedelta(seconds=min(int(retry_after[:9]), 10**6)), LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(moment, real_now + LONGEST_RETRY_AFTER)
