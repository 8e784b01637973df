"""Hours and days on the vendor's calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from customers.errors import Invalid

_MOST = 800


class Bucket(StrEnum):
    HOUR = "hour"
    DAY = "day"


def floor(moment: datetime, bucket: Bucket, zone: ZoneInfo) -> datetime:
    """The start of the hour or day that holds ``moment``, in UTC."""
    local = moment.astimezone(zone).replace(minute=0, second=0, microsecond=0)
    return (local if bucket is Bucket.HOUR else local.replace(hour=0, fold=0)).astimezone(UTC)


def edges(start: datetime, end: datetime, bucket: Bucket, zone: ZoneInfo) -> list[datetime]:
    """``start``, each boundary after it, and ``end``: one more than there are buckets. The outer two may be short.

    Raises ``Invalid`` naming ``start_time`` where there would be too many, or the window is empty.
    """
    if start >= end:
        raise Invalid({"start_time": f"Give a time before {end.isoformat()}."})
    if (end - start) / _LENGTHS[bucket] > _MOST:
        raise Invalid({"start_time": f"These are more than {_MOST} buckets: start later, or take days."})
    found = [start.astimezone(UTC)]
    while (following := _next(found[-1], bucket, zone)) < end:
        found.append(following)
    return [*found, end.astimezone(UTC)]


_LENGTHS = {Bucket.HOUR: timedelta(hours=1), Bucket.DAY: timedelta(days=1)}


def _next(moment: datetime, bucket: Bucket, zone: ZoneInfo) -> datetime:
    start = floor(moment, bucket, zone)
    if bucket is Bucket.HOUR:
        return start + timedelta(hours=1)
    # Days are as long as the calendar says: 23 or 25 hours where the clocks change.
    return (start.astimezone(zone) + timedelta(days=1)).astimezone(UTC)
