"""Attributed measurements go into the table: by COPY beside it, and from there with one INSERT, however many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from django.db import connection

Key: TypeAlias = tuple[int, int, datetime, str, str]

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
    def key(self) -> Key:
        """Of two with the same, one counts."""
        return (self.meter_id, self.customer_id, self.time, self.stream, self.external_id)


def write(rows: Sequence[Row], *, replace: bool) -> None:
    """No two with the same key. Where one is there already it is replaced, or left as it is."""
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(_BESIDE)
        _copy(rows)
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
