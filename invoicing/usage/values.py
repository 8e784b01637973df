"""What is asked of usage and what it answers. Plain values, so that rating stays free of the database."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Window:
    """One customer's use of one meter from ``start`` (inclusive) to ``end`` (exclusive). ``key`` names the answer."""

    key: Hashable
    customer_id: int
    meter_id: int
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Usage:
    """``first`` and ``last`` are the times of the oldest and newest measurement behind the quantity."""

    quantity: Decimal = Decimal(0)
    first: datetime | None = None
    last: datetime | None = None
    count: int = 0


NO_USAGE = Usage()
