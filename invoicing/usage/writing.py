"""Attributed measurements go into the table: by COPY beside it, and from there with one INSERT, however many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from django.db import connection

Key: TypeAlias = tuple[int, int, datetime | None, str, str]

# Ids of our own begin so: of measurements that were sent with neither a time nor an id.
ARRIVAL = "arrival:"

# One for each connection, emptied by the end of every transaction.
_BESIDE = """
    CREATE TEMPORARY TABLE IF NOT EXISTS incoming_measurement (
        vendor_id bigint, meter_id bigint, customer_id bigint, "time" timestamptz, value numeric, stream text,
        external_id text, labels jsonb, reset_total bool, received_at timestamptz
    ) ON COMMIT DELETE ROWS
"""
_COLUMNS = 'vendor_id, meter_id, customer_id, "time", value, stream, external_id, labels, reset_total, received_at'
_COPY = f"COPY incoming_measurement ({_COLUMNS}) FROM STDIN"
_INSERT = f"""
    WITH taken AS (DELETE FROM incoming_measurement RETURNING {_COLUMNS})
    INSERT INTO invoicing_measurement ({_COLUMNS}) SELECT {_COLUMNS} FROM taken
    ORDER BY meter_id, customer_id, "time", stream, external_id
    ON CONFLICT (meter_id, customer_id, "time", stream, external_id) DO
"""  # noqa: S608 - put together from constants
_REPLACE = """
    UPDATE SET value = excluded.value, labels = excluded.labels, reset_total = excluded.reset_total,
        received_at = excluded.received_at
"""

# The ids that a vendor gave are known by their time, and locked in one order everywhere; only what is asked after that
# sees what others wrote meanwhile.
_KNOW = f"""
    INSERT INTO invoicing_givenid (meter_id, customer_id, stream, external_id, "time")
    SELECT meter_id, customer_id, stream, external_id, "time" FROM incoming_measurement
    WHERE external_id <> '' AND NOT starts_with(external_id, '{ARRIVAL}')
    ORDER BY meter_id, customer_id, stream, external_id
    ON CONFLICT (meter_id, customer_id, stream, external_id) DO UPDATE SET "time" = invoicing_givenid."time"
"""  # noqa: S608 - put together from constants
_MOVED = """
    SELECT known.*, incoming."time" AS becomes
    FROM invoicing_givenid AS known
    JOIN incoming_measurement AS incoming USING (meter_id, customer_id, stream, external_id)
    WHERE known."time" <> incoming."time"
"""
_SAME = """one.meter_id = moved.meter_id AND one.customer_id = moved.customer_id AND one.stream = moved.stream
            AND one.external_id = moved.external_id"""
_MOVE = f"""
    WITH moved AS MATERIALIZED ({_MOVED}),
    gone AS (
        DELETE FROM invoicing_measurement AS one USING moved
        WHERE {_SAME} AND one."time" = moved."time"
    )
    UPDATE invoicing_givenid AS one SET "time" = moved.becomes FROM moved
    WHERE {_SAME}
"""  # noqa: S608 - put together from constants
_LEAVE = f"""
    WITH moved AS MATERIALIZED ({_MOVED})
    DELETE FROM incoming_measurement AS one USING moved WHERE {_SAME}
"""  # noqa: S608 - put together from constants


@dataclass(frozen=True, slots=True)
class Row:
    """A measurement on one meter of one customer."""

    vendor_id: int
    meter_id: int
    customer_id: int
    time: datetime
    value: Decimal
    stream: str
    external_id: str
    labels: str
    reset_total: bool
    received_at: datetime

    @property
    def has_given_id(self) -> bool:
        return bool(self.external_id) and not self.external_id.startswith(ARRIVAL)

    @property
    def key(self) -> Key:
        """Of two with the same, one counts. A vendor's id is its measurement's at whatever time."""
        time = None if self.has_given_id else self.time
        return (self.meter_id, self.customer_id, time, self.stream, self.external_id)


def write(rows: Sequence[Row], *, replace: bool) -> None:
    """No two with the same key. Where one is there already it is replaced, or left as it is; the statements are as many
    however many rows there are."""
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(_BESIDE)
        _copy(rows)
        if any(row.has_given_id for row in rows):
            cursor.execute(_KNOW)
            cursor.execute(_MOVE if replace else _LEAVE)
        # In one order everywhere, so that two batches with the same rows wait for each other instead of deadlocking.
        cursor.execute(_INSERT + (_REPLACE if replace else "NOTHING"))


def _copy(rows: Iterable[Row]) -> None:
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for row in rows:
            copy.write_row(
                (
                    row.vendor_id, row.meter_id, row.customer_id, row.time.isoformat(), str(row.value), row.stream,
                    row.external_id, row.labels, "t" if row.reset_total else "f", row.received_at.isoformat(),
                )
            )  # fmt: skip
