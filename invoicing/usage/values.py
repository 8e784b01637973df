"""What is asked of usage and what it answers. Plain values, so that rating stays free of the database."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Window:
    """One customer's use of one meter from ``start`` (inclusive) to ``end`` (exclusive). ``key`` names the answer.

    ``zone`` names the time zone to tell the days of; empty: the days are not wanted.
    """

    key: Hashable
    customer_id: int
    meter_id: int
    start: datetime
    end: datetime
    zone: str = ""


@dataclass(frozen=True, slots=True)
class DayUsage:
    """What the measurements of one day come to on their own, aggregated as the meter says."""

    day: date
    quantity: Decimal
    count: int


@dataclass(frozen=True, slots=True)
class Usage:
    """``first`` and ``last`` are the times of the oldest and newest measurement behind the quantity.

    ``days`` are those on which something was measured, oldest first.
    """

    quantity: Decimal = Decimal(0)
    first: datetime | None = None
    last: datetime | None = None
    count: int = 0
    days: tuple[DayUsage, ...] = ()


NO_USAGE = Usage()
