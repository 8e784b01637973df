"""What is asked of usage and what it answers. Plain values, so that rating stays free of the database."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import chain

HOUR = Fraction(3600)


@dataclass(frozen=True, slots=True)
class Window:
    """One customer's use of one meter from ``start`` (inclusive) to ``end`` (exclusive). ``key`` names the answer.

    ``zone`` names the time zone to tell the days of; empty: the days are not wanted. ``aggregation`` stands in place
    of the meter's. What is weighted by time comes in units of ``unit_seconds`` (GB-hours), and only for what a level
    is above ``watermark``. ``by_stream``: each stream is wanted besides.
    """

    key: Hashable
    customer_id: int
    meter_id: int
    start: datetime
    end: datetime
    zone: str = ""
    aggregation: str = ""
    unit_seconds: Fraction = HOUR
    watermark: Decimal | None = None
    by_stream: bool = False


@dataclass(frozen=True, slots=True)
class DayUsage:
    """What the measurements of one day come to on their own, aggregated as the meter says."""

    day: date
    quantity: Decimal
    count: int


@dataclass(frozen=True, slots=True)
class Usage:
    """``first`` and ``last`` are the times of the oldest and newest measurement behind the quantity.

    ``days`` are those on which something was measured (or a level weighted by time held), oldest first; ``streams``
    are by the values of the meter's primary labels, where they were asked for. ``before`` is what came before them on
    the way through tiers that several billing cycles climb together.
    """

    quantity: Decimal = Decimal(0)
    first: datetime | None = None
    last: datetime | None = None
    count: int = 0
    days: tuple[DayUsage, ...] = ()
    streams: Mapping[tuple[str, ...], Usage] = field(default_factory=dict)
    before: Decimal = Decimal(0)


NO_USAGE = Usage()


def added_up(parts: Iterable[Usage]) -> Usage:
    """Several streams as one."""
    found = list(parts)
    return Usage(
        quantity=sum((part.quantity for part in found), Decimal(0)),
        first=min((part.first for part in found if part.first), default=None),
        last=max((part.last for part in found if part.last), default=None),
        count=sum(part.count for part in found),
        days=_days(chain.from_iterable(part.days for part in found)),
        before=sum((part.before for part in found), Decimal(0)),
    )


def _days(days: Iterable[DayUsage]) -> tuple[DayUsage, ...]:
    found: dict[date, DayUsage] = {}
    for one in days:
        so_far = found.get(one.day, DayUsage(one.day, Decimal(0), 0))
        found[one.day] = DayUsage(one.day, so_far.quantity + one.quantity, so_far.count + one.count)
    return tuple(sorted(found.values(), key=lambda day: day.day))
