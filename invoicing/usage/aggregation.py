"""How much was used? Any number of windows, answered with the same three queries.

Each stream (each combination of primary-label values) is aggregated on its own; streams are then added up.
A continuous meter measures a level that persists, so its last measurement before a window counts from the
window's start. A ``reset_total`` begins a stream's sum anew at its own value.

Quantity and days come from one statement: measurements that arrive meanwhile are in both or in neither.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from invoicing.catalog.models import Aggregation, DataType, Meter
from invoicing.usage.values import NO_USAGE, DayUsage, Usage, Window

__all__ = ["NO_USAGE", "Usage", "Window", "usage_of"]


def usage_of(windows: Sequence[Window]) -> dict[Hashable, Usage]:
    """By the windows' keys; a window without measurements has ``NO_USAGE``."""
    levels = _level_meters({window.meter_id for window in windows})
    found: dict[Hashable, Usage] = {window.key: NO_USAGE for window in windows}
    for sql, part in (
        (_EVENTS, [window for window in windows if window.meter_id not in levels]),
        (_LEVELS, [window for window in windows if window.meter_id in levels]),
    ):
        if part:
            found.update(_ask(sql, part))
    return found


def _level_meters(meter_ids: set[int]) -> set[int]:
    """Those whose value depends on the order in time."""
    meters = Meter.objects.filter(pk__in=meter_ids).values_list("pk", "data_type", "aggregation")
    return {
        pk
        for pk, data_type, aggregation in meters
        if data_type == DataType.CONTINUOUS or aggregation == Aggregation.LATEST
    }


def _ask(sql: str, windows: Sequence[Window]) -> dict[Hashable, Usage]:
    columns: list[list[Any]] = [
        list(range(len(windows))),
        [window.customer_id for window in windows],
        [window.meter_id for window in windows],
        [window.start for window in windows],
        [window.end for window in windows],
        [window.zone for window in windows],
    ]
    with connection.cursor() as cursor:
        cursor.execute(sql, columns)
        return {windows[number].key: _usage(*row) for number, *row in cursor.fetchall()}


def _usage(
    quantity: Decimal,
    first: datetime,
    last: datetime,
    count: int,
    days: Sequence[date] | None,
    quantities: Sequence[Decimal],
    counts: Sequence[int],
) -> Usage:
    found = tuple(map(DayUsage, days, quantities, counts)) if days else ()
    return Usage(quantity, first, last, count, found)


_WINDOWS = """
    asked AS MATERIALIZED (
        SELECT asked.*, meter.aggregation, meter.data_type
        FROM unnest(%s::int[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::text[])
            AS asked(number, customer_id, meter_id, start, "end", zone)
        JOIN invoicing_meter AS meter ON meter.id = asked.meter_id
    )
"""

# From ``streams`` (the quantity of each) and ``daily`` (that of each stream's day, empty without a zone) to answers.
_ANSWERS = """
    days AS (
        SELECT number, day, round(sum(quantity), 12) AS quantity, sum(count)::bigint AS count
        FROM daily WHERE day IS NOT NULL GROUP BY number, day
    ),
    listed AS (
        SELECT number, array_agg(day ORDER BY day) AS days,
            array_agg(quantity ORDER BY day) AS quantities, array_agg(count ORDER BY day) AS counts
        FROM days GROUP BY number
    ),
    totals AS (
        SELECT number, round(sum(quantity), 12) AS quantity, min(first) AS first, max(last) AS last,
            sum(count)::bigint AS count
        FROM streams GROUP BY number
    )
    SELECT number, quantity, first, last, count, days, quantities, counts FROM totals LEFT JOIN listed USING (number)
"""

_DAY = "CASE WHEN asked.zone <> '' THEN (measured.time AT TIME ZONE asked.zone)::date END"

# The order of events does not matter, except that a reset forgets what its stream counted before it.
_EVENTS = f"""
    WITH {_WINDOWS},
    resets AS MATERIALIZED (
        SELECT asked.number, measured.stream, max(measured.time) AS time
        FROM asked JOIN invoicing_measurement AS measured
            ON measured.meter_id = asked.meter_id AND measured.customer_id = asked.customer_id
            AND measured.time >= asked.start AND measured.time < asked."end" AND measured.reset_total
        WHERE asked.aggregation = 'SUM'
        GROUP BY asked.number, measured.stream
    ),
    parts AS MATERIALIZED (
        SELECT asked.number, asked.aggregation, measured.stream, {_DAY} AS day,
            sum(measured.value) AS sum, max(measured.value) AS max, min(measured.value) AS min, count(*) AS count,
            min(measured.time) AS first, max(measured.time) AS last
        FROM asked JOIN invoicing_measurement AS measured
            ON measured.meter_id = asked.meter_id AND measured.customer_id = asked.customer_id
            AND measured.time >= asked.start AND measured.time < asked."end"
        LEFT JOIN resets ON resets.number = asked.number AND resets.stream = measured.stream
        WHERE resets.time IS NULL OR measured.time >= resets.time
        GROUP BY asked.number, asked.aggregation, measured.stream, day
    ),
    daily AS (
        SELECT number, day, count,
            CASE aggregation
                WHEN 'SUM' THEN sum
                WHEN 'COUNT' THEN count
                WHEN 'MAX' THEN max
                WHEN 'MIN' THEN min
                WHEN 'AVG' THEN sum / count
            END AS quantity
        FROM parts
    ),
    streams AS (
        SELECT number,
            CASE aggregation
                WHEN 'SUM' THEN sum(sum)
                WHEN 'COUNT' THEN sum(count)
                WHEN 'MAX' THEN max(max)
                WHEN 'MIN' THEN min(min)
                WHEN 'AVG' THEN sum(sum) / sum(count)
            END AS quantity,
            min(first) AS first, max(last) AS last, sum(count) AS count
        FROM parts
        GROUP BY number, aggregation, stream
    ),
    {_ANSWERS}
"""  # noqa: S608 - put together from constants

# A level is what was measured last. For continuous meters the level at the window's start belongs to it.
_LEVELS = f"""
    WITH {_WINDOWS},
    inside AS (
        SELECT asked.number, asked.aggregation, measured.stream, measured.value, measured.time, measured.id,
            {_DAY} AS day
        FROM asked JOIN invoicing_measurement AS measured
            ON measured.meter_id = asked.meter_id AND measured.customer_id = asked.customer_id
            AND measured.time >= asked.start AND measured.time < asked."end"
    ),
    before AS (
        SELECT DISTINCT ON (asked.number, measured.stream)
            asked.number, asked.aggregation, measured.stream, measured.value, measured.time, measured.id,
            {_DAY} AS day
        FROM asked JOIN invoicing_measurement AS measured
            ON measured.meter_id = asked.meter_id AND measured.customer_id = asked.customer_id
            AND measured.time < asked.start
        WHERE asked.data_type = 'CONTINUOUS' AND NOT EXISTS (
            SELECT FROM invoicing_measurement AS opening
            WHERE opening.meter_id = asked.meter_id AND opening.customer_id = asked.customer_id
                AND opening.time = asked.start AND opening.stream = measured.stream
        )
        ORDER BY asked.number, measured.stream, measured.time DESC, measured.id DESC
    ),
    ranked AS MATERIALIZED (
        SELECT *, row_number() OVER (PARTITION BY number, stream ORDER BY time DESC, id DESC) AS newest,
            row_number() OVER (PARTITION BY number, stream, day ORDER BY time DESC, id DESC) AS newest_of_day
        FROM (SELECT * FROM inside UNION ALL SELECT * FROM before) AS measured
    ),
    daily AS (
        SELECT number, day, count(*) AS count,
            CASE aggregation
                WHEN 'LATEST' THEN max(value) FILTER (WHERE newest_of_day = 1)
                WHEN 'MAX' THEN max(value)
                WHEN 'MIN' THEN min(value)
            END AS quantity
        FROM ranked
        GROUP BY number, aggregation, stream, day
    ),
    streams AS (
        SELECT number,
            CASE aggregation
                WHEN 'LATEST' THEN max(value) FILTER (WHERE newest = 1)
                WHEN 'MAX' THEN max(value)
                WHEN 'MIN' THEN min(value)
            END AS quantity,
            min(time) AS first, max(time) AS last, count(*) AS count
        FROM ranked
        GROUP BY number, aggregation, stream
    ),
    {_ANSWERS}
"""  # noqa: S608 - put together from constants
