"""What is asked of usage and what it answers. Plain values, so that rating stays free of the database."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from typing import overload

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


class Days(Sequence[DayUsage]):
    """A quantity day by day, oldest first. One text until somebody looks: a line ``place quantity count`` for each,
    ``place`` counted from ``origin``. Billing runs carry it from the database to line items, and nobody else needs it.
    """

    __slots__ = ("_found", "origin", "text")

    def __init__(self, origin: date | None = None, text: str | None = "") -> None:
        self.origin, self.text = origin, text or ""
        self._found: tuple[DayUsage, ...] | None = None

    @classmethod
    def of(cls, days: Sequence[DayUsage]) -> Days:
        if not days:
            return NO_DAYS
        origin = days[0].day
        return cls(origin, "\n".join(f"{(one.day - origin).days} {_plain(one.quantity)} {one.count}" for one in days))

    @property
    def found(self) -> tuple[DayUsage, ...]:
        if self._found is None:
            self._found = tuple(map(self._read, self.text.splitlines()))
        return self._found

    def _read(self, line: str) -> DayUsage:
        place, quantity, count = line.split(" ")
        assert self.origin is not None  # noqa: S101 - it comes with every text
        return DayUsage(self.origin + timedelta(days=int(place)), Decimal(quantity), int(count))

    @overload
    def __getitem__(self, place: int) -> DayUsage: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[DayUsage, ...]: ...
    def __getitem__(self, place: int | slice) -> DayUsage | tuple[DayUsage, ...]:
        return self.found[place]

    def __len__(self) -> int:
        return len(self.found)

    def __bool__(self) -> bool:
        return bool(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Days) and self.found == other.found

    def __hash__(self) -> int:
        return hash(self.found)

    def __repr__(self) -> str:
        return f"Days({self.found!r})"


NO_DAYS = Days()


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


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
    days: Days = NO_DAYS
    streams: Mapping[tuple[str, ...], Usage] = field(default_factory=dict)
    before: Decimal = Decimal(0)


NO_USAGE = Usage()


def added_up(parts: Iterable[Usage]) -> Usage:
    """Several streams as one."""
    found = list(parts)
    if len(found) == 1:
        return replace(found[0], streams={})
    return Usage(
        quantity=sum((part.quantity for part in found), Decimal(0)),
        first=min((part.first for part in found if part.first), default=None),
        last=max((part.last for part in found if part.last), default=None),
        count=sum(part.count for part in found),
        days=_days(chain.from_iterable(part.days for part in found)),
        before=sum((part.before for part in found), Decimal(0)),
    )


def _days(days: Iterable[DayUsage]) -> Days:
    found: dict[date, DayUsage] = {}
    for one in days:
        so_far = found.get(one.day, DayUsage(one.day, Decimal(0), 0))
        found[one.day] = DayUsage(one.day, so_far.quantity + one.quantity, so_far.count + one.count)
    return Days.of(sorted(found.values(), key=lambda day: day.day))
