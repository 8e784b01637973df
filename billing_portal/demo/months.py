"""The demonstration's calendar: its months, and the days on which something is done by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from invoicing.subscriptions.cycles import add_months

# New customers are entered this long before the month that they are first billed for.
AHEAD = timedelta(days=3)
DESK_DAY = timedelta(days=9, hours=10)


@dataclass(frozen=True)
class Months:
    """``first`` is the midnight, in the vendor's zone, that begins month 0; ``until`` is the present."""

    first: datetime
    until: datetime

    @classmethod
    def ending(cls, until: datetime, zone: ZoneInfo, months: int) -> Months:
        """``months`` whole ones, and the one that runs."""
        return cls(add_months(_month_of(until.astimezone(zone)), -months), until)

    @classmethod
    def opened(cls, opening: datetime, until: datetime, zone: ZoneInfo) -> Months:
        """The same again, from the moment at which the demonstration began."""
        return cls(_month_of((opening + AHEAD).astimezone(zone)), until)

    @property
    def running(self) -> int:
        """The number of the month that runs; all before it are whole."""
        return self.number_of(self.until)

    def number_of(self, moment: datetime) -> int:
        local = moment.astimezone(self.first.tzinfo)
        return (local.year - self.first.year) * 12 + local.month - self.first.month

    def start(self, number: int) -> datetime:
        return add_months(self.first, number)

    def eve(self, number: int) -> datetime:
        """The morning on which the customers of that month are entered."""
        return self.start(number) - AHEAD + timedelta(hours=9)

    def desk_day(self, number: int) -> datetime:
        """When the people in billing look at what is waiting."""
        return self.start(number) + DESK_DAY

    def ended(self, ago: timedelta, cycles: int) -> datetime:
        """The start of a subscription whose monthly cycle ended ``ago``, the ``cycles``-th or one more.

        One of any two months in a row has 31 days, so that the day of the month is the same each time.
        """
        end = (self.until - ago).astimezone(self.first.tzinfo).replace(minute=0, second=0, microsecond=0)
        starts = (add_months(end, -back) for back in (cycles, cycles + 1))
        return next(start for start in starts if start.day == end.day)


def _month_of(local: datetime) -> datetime:
    return local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
