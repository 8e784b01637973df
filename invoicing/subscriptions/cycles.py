"""When does a billing cycle start and end? Calendar arithmetic in the vendor's zone, and nothing else.

Anniversary cycles run from the subscription's start at the same wall-clock time of each month, quarter,
half-year or year; a start on the 29th to 31st falls on a shorter month's last day and returns to its own day after.
Calendar-aligned cycles run from the first of the month, quarter, half-year or year at 00:00; the first is short.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class CycleRule:
    """``months`` is the plan's period: 1, 3, 6 or 12. A trial, from the start up to ``trial_end``, is a cycle before
    the others, which run from its end."""

    effective_at: datetime
    zone: ZoneInfo
    months: int
    aligned: bool = False
    trial_end: datetime | None = None

    @property
    def first(self) -> int:
        """The number of the first cycle that is billed."""
        return 1 if self.trial_end else 0

    def is_trial(self, index: int) -> bool:
        return index < self.first

    def bounds(self, index: int) -> tuple[datetime, datetime]:
        """Start (inclusive) and end (exclusive) of the cycle numbered from 0, in UTC."""
        return self._boundary(index), self._boundary(index + 1)

    def index_at(self, moment: datetime) -> int:
        """The cycle that holds ``moment``, which is not before the subscription's start."""
        local, anchor = moment.astimezone(self.zone), self._anchor.astimezone(self.zone)
        months = (local.year - anchor.year) * 12 + local.month - anchor.month
        # At most one too many on either side: the day in the month, and the short first cycle.
        index = max(months // self.months - 1, 0)
        while self._boundary(index + 1) <= moment:
            index += 1
        return index

    def proration(self, index: int, start: datetime, end: datetime) -> Fraction:
        """Which share of a whole cycle lies between ``start`` and ``end``, by elapsed seconds."""
        whole = self._whole_end(index) - self._whole_start(index)
        return min(Fraction((end - start) // _TICK, whole // _TICK), Fraction(1))

    def span(self, index: int, every: int) -> tuple[int, int]:
        """The first and the last of the ``every`` cycles that are billed together and hold this one."""
        first = index - (index - self.first) % every
        return first, first + every - 1

    def span_share(self, index: int, every: int, end: datetime) -> Fraction:
        """Which share of the whole span has elapsed at ``end``."""
        first, last = self.span(index, every)
        whole = self._whole_end(last) - self._whole_start(first)
        return min(Fraction((end - self._boundary(first)) // _TICK, whole // _TICK), Fraction(1))

    def month(self, index: int) -> Fraction:
        """The length in seconds of a month of the cycle, had it run its whole period."""
        whole = self._whole_end(index) - self._whole_start(index)
        return Fraction(whole // _TICK, self.months * 1_000_000)

    @property
    def _anchor(self) -> datetime:
        return self.trial_end or self.effective_at

    def _boundary(self, index: int) -> datetime:
        if index == 0:
            return self.effective_at.astimezone(UTC)
        if index == self.first:
            return self._anchor.astimezone(UTC)
        months = (index - self.first) * self.months
        start = self._period_start if self.aligned else self._anchor.astimezone(self.zone)
        return _utc(add_months(start, months))

    def _whole_start(self, index: int) -> datetime:
        return _utc(self._period_start) if self.aligned and index == self.first else self._boundary(index)

    def _whole_end(self, index: int) -> datetime:
        return self._boundary(index + 1)

    @property
    def _period_start(self) -> datetime:
        """Midnight that begins the calendar month, quarter, half-year or year of the first billed cycle."""
        local = self._anchor.astimezone(self.zone)
        month = (local.month - 1) // self.months * self.months + 1
        return local.replace(month=month, day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)


_TICK = datetime.resolution


def add_months(anchor: datetime, months: int) -> datetime:
    """The anchor's day and wall-clock time that many months on, or that month's last day."""
    years, month = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    day = min(anchor.day, calendar.monthrange(years, month + 1)[1])
    return anchor.replace(year=years, month=month + 1, day=day, fold=0)


def _utc(local: datetime) -> datetime:
    # A wall-clock time that a change to summer time skips is read by the offset before the change.
    return local.astimezone(UTC)
