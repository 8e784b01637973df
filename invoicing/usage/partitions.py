"""The months that measurements are kept by: made ahead by beat, and by whoever writes to a month that has none.

No partition takes what fits nowhere else: making a month beside one would have to look through it, under a lock that
stops everybody (``docs/adr/0002-measurements-by-month.md``).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time

from django.db import connection, transaction

PARENT = "invoicing_measurement"
MONTHS_AHEAD = 3

_MONTHS = """
    SELECT substring(part.relname FROM '[0-9]{4}_[0-9]{2}$')
    FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid
    WHERE inhparent = to_regclass(%s)
"""


def month_of(moment: datetime) -> date:
    """Months are those of UTC, the same for every vendor."""
    return moment.astimezone(UTC).date().replace(day=1)


def months_kept() -> set[date]:
    """Those that have a partition."""
    with connection.cursor() as cursor:
        cursor.execute(_MONTHS, [PARENT])
        return {date(int(name[:4]), int(name[5:]), 1) for (name,) in cursor.fetchall()}


def kept_from() -> datetime | None:
    """The end of the last month that was dropped: measurements of before are gone. None: nothing was dropped."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(month) FROM invoicing_droppedmonth")
        [month] = cursor.fetchone()
    return datetime.combine(following(month), time(), UTC) if month else None


def ensure_months(wanted: Iterable[date]) -> int:
    """Make the partitions that are missing; how many they were. Part of the transaction that is going to write."""
    months = set(wanted)
    if months <= months_kept():
        return 0
    with transaction.atomic():
        _wait_for_others()
        missing = sorted(months - months_kept())
        for month in missing:
            _make(month)
    return len(missing)


def make_ahead(real_now: datetime) -> int:
    """This month and the next few."""
    months = [month_of(real_now)]
    while len(months) <= MONTHS_AHEAD:
        months.append(following(months[-1]))
    return ensure_months(months)


def table_of(month: date) -> str:
    return f"{PARENT}_{month:%Y_%m}"


def following(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _wait_for_others() -> None:
    """Two that miss the same month make it once."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('invoicing makes months', 5))")


def _make(month: date) -> None:
    """Made alone and then attached, which lets others read and write the other months meanwhile."""
    table, (start, end) = table_of(month), (month, following(month))
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {table} (LIKE {PARENT} INCLUDING DEFAULTS)")
        cursor.execute(
            f"ALTER TABLE {PARENT} ATTACH PARTITION {table}"
            f" FOR VALUES FROM ('{start} 00:00:00+00') TO ('{end} 00:00:00+00')"
        )
