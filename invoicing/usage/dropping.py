"""Months of measurements that are not needed any more, since they are invoiced: what there is, and dropping one.

What the days came to stays. Whether a month may go is for ``invoices/old_measurements.py`` to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db import OperationalError, connection, transaction

from customers.errors import Busy
from invoicing.usage.folding import fold_usage
from invoicing.usage.models import DroppedMonth, GivenId, StaleUsage, UnattributedMeasurement
from invoicing.usage.partitions import following, months_kept, table_of

# As long as senders of measurements may be kept waiting.
_PATIENCE = "5s"


@dataclass(frozen=True, slots=True)
class KeptMonth:
    month: date
    measurements: int
    bytes: int


def end_of(month: date) -> datetime:
    return datetime.combine(following(month), time(), UTC)


def kept_before(month: date) -> list[KeptMonth]:
    """The months before this one that have a table, oldest first."""
    return [_kept(one) for one in sorted(months_kept()) if one < month]


def _kept(month: date) -> KeptMonth:
    table = table_of(month)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*), pg_total_relation_size(%s) FROM {table}", [table])  # noqa: S608 - our own name
        count, size = cursor.fetchone()
    return KeptMonth(month, count, size)


def waiting_before(until: datetime) -> int:
    """Measurements that no customer or meter has been found for; they are not billed yet."""
    return UnattributedMeasurement.objects.filter(time__lt=until).count()


def drop(one: KeptMonth, *, real_now: datetime) -> None:
    """Its days are folded, then the table goes. Raises ``Busy`` where measurements keep coming in.

    ``DroppedMonth`` is written in the same transaction, under the lock that keeps writers out, so that a measurement
    is either folded or refused.
    """
    fold_usage()
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
            cursor.execute(f"LOCK TABLE {table_of(one.month)} IN ACCESS EXCLUSIVE MODE")
            # Of the day after too: in some zone it began before.
            if StaleUsage.objects.filter(first__lt=end_of(one.month) + timedelta(days=1)).exists():
                raise Busy(f"Measurements of {one.month:%Y-%m} came in meanwhile: try again.")
            cursor.execute(f"DROP TABLE {table_of(one.month)}")
            GivenId.objects.filter(time__lt=end_of(one.month)).delete()
            DroppedMonth.objects.create(
                month=one.month, measurements=one.measurements, bytes=one.bytes, dropped_at=real_now
            )
    except OperationalError as error:
        raise Busy(f"{one.month:%Y-%m} is being read or written: try again in a moment.") from error
