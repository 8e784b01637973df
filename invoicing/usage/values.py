"""What is asked of usage and what it answers. Plain values, so that rating stays free of the database."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

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
    are by the values of the meter's primary labels, where they were asked for.
    """

    quantity: Decimal = Decimal(0)
    first: datetime | None = None
    last: datetime | None = None
    count: int = 0
    days: tuple[DayUsage, ...] = ()
    streams: Mapping[tuple[str, ...], Usage] = field(default_factory=dict)


NO_USAGE = Usage()
