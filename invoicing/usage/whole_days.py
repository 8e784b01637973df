"""The first half of both statements (``statements.py``): what is asked, and the answers that kept days give alone.

That is so where a window begins and ends with a day of the vendor's zone, none of its days is stale, and none has a
reset in it: the usual billing cycle. What it costs is reading each day once.

``plain`` are those windows, ``whole`` their answers, ``unclear`` the numbers of those that had a reset after all.
"""


def in_units(quantity: str) -> str:
    """With 12 decimals, half up. What is weighted by time comes in seconds and leaves in units; sixty digits are more
    than any quotient needs to be told from the half between two steps."""
    divided = f"round({quantity} * unit_denominator, 60) / unit_numerator"
    return f"round(CASE WHEN unit_numerator IS NULL THEN {quantity} ELSE {divided} END, 12)"


def listed(day: str, quantity: str, count: str) -> str:
    """An aggregate: the days as one text, as ``values.Days`` reads it."""
    said = f"concat_ws(' ', {day} - origin, trim_scale({in_units(quantity)}), {count})"
    return rf"string_agg({said}, E'\n' ORDER BY {day})"


# ``lo`` to ``hi`` (exclusive) are the whole days that are asked for as they are kept; ``lo_time`` and ``hi_time`` are
# where the edges end and begin. Days of another zone than the vendor's are put together from measurements, and so
# are changes of a level above a watermark: how high it stands in the middle of a day is not kept.
# A window on a level has a history besides, since the level at its start belongs to it.
# Listed days are counted from ``origin``.
ASKED = """
    meant AS (
        SELECT asked.number, asked.customer_id, asked.meter_id, asked.start, asked."end",
            coalesce(asked.zone, '') AS zone, asked.watermark,
            asked.by_stream, asked.unit_numerator, asked.unit_denominator,
            meter.data_type, coalesce(nullif(asked.aggregation, ''), meter.aggregation) AS aggregation,
            meter.data_type = 'CONTINUOUS' AS has_history, vendor.time_zone AS kept_zone,
            meter.data_type = 'CONTINUOUS' AND meter.reporting_method = 'DELTA' AS is_change,
            (asked.start AT TIME ZONE vendor.time_zone)::date AS first_day,
            (asked."end" AT TIME ZONE vendor.time_zone)::date AS last_day,
            CASE WHEN asked.zone <> '' THEN (asked.start AT TIME ZONE asked.zone)::date END AS origin
        FROM unnest(
            string_to_array(%s, ',', '')::int[], string_to_array(%s, ',', '')::bigint[],
            string_to_array(%s, ',', '')::bigint[], string_to_array(%s, ',', '')::timestamptz[],
            string_to_array(%s, ',', '')::timestamptz[], string_to_array(%s, ',')::text[],
            string_to_array(%s, ',')::text[], string_to_array(%s, ',', '')::numeric[],
            string_to_array(%s, ',', '')::bool[], string_to_array(%s, ',', '')::numeric[],
            string_to_array(%s, ',', '')::numeric[]
        ) AS asked(
            number, customer_id, meter_id, start, "end", zone, aggregation, watermark, by_stream, unit_numerator,
            unit_denominator
        )
        JOIN invoicing_meter AS meter ON meter.id = asked.meter_id
        JOIN customers_vendor AS vendor ON vendor.id = meter.vendor_id
    ),
    dayed AS (
        SELECT *, first_day::timestamp AT TIME ZONE kept_zone AS midnight,
            CASE WHEN zone IN ('', kept_zone) AND NOT (is_change AND watermark IS NOT NULL) THEN last_day END AS hi,
            first_day + (first_day::timestamp AT TIME ZONE kept_zone < start)::int AS lo
        FROM meant
    ),
    wanted AS MATERIALIZED (
        SELECT *,
            CASE WHEN hi IS NULL THEN "end" ELSE least(lo::timestamp AT TIME ZONE kept_zone, "end") END AS lo_time,
            CASE WHEN hi IS NULL THEN "end"
                ELSE greatest(hi::timestamp AT TIME ZONE kept_zone, least(lo::timestamp AT TIME ZONE kept_zone, "end"))
            END AS hi_time
        FROM dayed
    ),
    plain AS MATERIALIZED (
        SELECT * FROM wanted
        WHERE start = midnight AND hi > lo AND hi_time = "end" AND watermark IS NULL AND NOT is_change
            AND NOT EXISTS (
                SELECT FROM invoicing_staleusage AS mark
                WHERE mark.meter_id = wanted.meter_id AND mark.customer_id = wanted.customer_id
                    AND mark.first < wanted."end" AND (mark.last >= wanted.start OR wanted.has_history)
            )
    )
"""

_QUANTITY = """
    CASE plain.aggregation
        WHEN 'SUM' THEN kept.sum
        WHEN 'COUNT' THEN kept.count
        WHEN 'MAX' THEN kept.high
        WHEN 'MIN' THEN kept.low
        WHEN 'AVG' THEN kept.sum / kept.count
    END
"""
_KEPT = """
    invoicing_usageday AS kept
    WHERE kept.meter_id = plain.meter_id AND kept.customer_id = plain.customer_id
        AND kept.day >= plain.lo AND kept.day < plain.hi
"""

# Only where there are several streams that are one answer, their days are put together as well.
EVENTS_OF_WHOLE_DAYS = f"""
    whole AS MATERIALIZED (
        SELECT plain.number, plain.origin, found.stream, found.first, found.last, found.count, found.days,
            found.has_reset, {in_units("found.quantity")} AS quantity
        FROM plain CROSS JOIN LATERAL (
            SELECT CASE WHEN plain.by_stream THEN streams.stream ELSE '' END AS stream, sum(quantity) AS quantity,
                min(first) AS first, max(last) AS last, sum(count)::bigint AS count,
                CASE
                    WHEN plain.zone = '' THEN NULL
                    WHEN count(*) = 1 THEN max(streams.days)
                    ELSE (
                        SELECT {listed("day", "quantity", "count")}
                        FROM (
                            SELECT kept.day, sum({_QUANTITY}) AS quantity, sum(kept.count) AS count
                            FROM {_KEPT} GROUP BY kept.day
                        ) AS days
                    )
                END AS days,
                bool_or(has_reset) AS has_reset
            FROM (
                SELECT kept.stream,
                    CASE plain.aggregation
                        WHEN 'SUM' THEN sum(kept.sum)
                        WHEN 'COUNT' THEN sum(kept.count)
                        WHEN 'MAX' THEN max(kept.high)
                        WHEN 'MIN' THEN min(kept.low)
                        WHEN 'AVG' THEN sum(kept.sum) / sum(kept.count)
                    END AS quantity,
                    min(kept.first) AS first, max(kept.last) AS last, sum(kept.count) AS count,
                    CASE WHEN plain.zone <> '' THEN {listed("kept.day", _QUANTITY, "kept.count")} END AS days,
                    max(kept.part) > 0 AS has_reset
                FROM {_KEPT} GROUP BY kept.stream
            ) AS streams
            GROUP BY 1
        ) AS found
    ),
    unclear AS MATERIALIZED (SELECT DISTINCT number FROM whole WHERE has_reset)
"""  # noqa: S608 - put together from constants

# Carried along, because the planner takes these tables for small ones and would join them row by row.
# ``answer`` is the stream that is told.
_SAID_OF_PLAIN = """
    plain.number, plain.start, plain."end", plain.aggregation, plain.zone, plain.hi, plain.first_day, plain.has_history,
    plain.origin, plain.unit_numerator, plain.unit_denominator,
    CASE WHEN plain.by_stream THEN found.stream ELSE '' END AS answer
"""

# Each stream's days in time, after the last one before the window. Between two of them the latest level holds: a day
# is what held in its morning, its own area, and what held in its evening. Days on which nothing was measured have the
# level from before.
LEVELS_OF_WHOLE_DAYS = f"""
    standing_days AS MATERIALIZED (
        SELECT {_SAID_OF_PLAIN}, found.stream, found.day, found.first, found.last, found.part, found.count,
            found.low, found.high, found.latest, found.area
        FROM plain CROSS JOIN LATERAL (SELECT kept.* FROM {_KEPT} OFFSET 0) AS found
        UNION ALL
        SELECT {_SAID_OF_PLAIN}, found.stream, NULL, found.last, found.last, 0, 1, found.latest, found.latest,
            found.latest, 0
        FROM plain CROSS JOIN LATERAL (
            SELECT DISTINCT ON (kept.stream) kept.stream, kept.last, kept.latest
            FROM invoicing_usageday AS kept
            WHERE kept.meter_id = plain.meter_id AND kept.customer_id = plain.customer_id
                AND kept.day < plain.first_day
            ORDER BY kept.stream, kept.day DESC, kept.part DESC
        ) AS found
        WHERE plain.has_history
    ),
    unclear AS MATERIALIZED (SELECT DISTINCT number FROM standing_days WHERE part > 0),
    held_days AS MATERIALIZED (
        SELECT *, greatest(last, start) AS since, coalesce(following, "end") AS until,
            zone <> '' AND has_history AND aggregation IN ('TIME_WEIGHTED_SUM', 'AVG') AS is_spread
        FROM (
            SELECT *, lead(first) OVER in_time AS following, lead(day) OVER in_time AS following_day,
                lag(latest) OVER in_time AS before
            FROM standing_days
            WINDOW in_time AS (PARTITION BY number, stream ORDER BY first)
        ) AS days
    ),
    levels_by_stream AS (
        SELECT number, origin, unit_numerator, unit_denominator, answer, min(first) AS first, max(last) AS last,
            sum(count) AS count,
            CASE aggregation
                WHEN 'LATEST' THEN max(latest) FILTER (WHERE following IS NULL)
                WHEN 'MAX' THEN max(high)
                WHEN 'MIN' THEN min(low)
                WHEN 'TIME_WEIGHTED_SUM' THEN sum(area + latest * extract(epoch FROM until - since))
                WHEN 'AVG' THEN sum(area + latest * extract(epoch FROM until - since))
                    / extract(epoch FROM max("end") - min(start))
            END AS quantity
        FROM held_days
        WHERE until > since OR day IS NOT NULL
        GROUP BY number, origin, unit_numerator, unit_denominator, aggregation, answer, stream
    ),
    levels_by_day AS (
        SELECT number, origin, unit_numerator, unit_denominator, answer,
            coalesce(day, (first AT TIME ZONE zone)::date) AS day, count,
            CASE aggregation WHEN 'LATEST' THEN latest WHEN 'MAX' THEN high WHEN 'MIN' THEN low END AS quantity
        FROM held_days
        WHERE zone <> '' AND aggregation IN ('LATEST', 'MAX', 'MIN') AND (until > since OR day IS NOT NULL)
        UNION ALL
        SELECT number, origin, unit_numerator, unit_denominator, answer, day, count,
            (
                coalesce(before, 0) * extract(epoch FROM first - dawn) + area
                + latest * extract(epoch FROM least(until, dusk) - last)
            ) / CASE aggregation WHEN 'AVG' THEN extract(epoch FROM dusk - dawn) ELSE 1 END
        FROM (
            SELECT *, day::timestamp AT TIME ZONE zone AS dawn, (day + 1)::timestamp AT TIME ZONE zone AS dusk
            FROM held_days WHERE is_spread AND day IS NOT NULL OFFSET 0
        ) AS days
        UNION ALL
        SELECT number, origin, unit_numerator, unit_denominator, answer, quiet.dawn::date, 0,
            latest * CASE aggregation
                WHEN 'AVG' THEN 1
                ELSE extract(epoch FROM
                    (quiet.dawn + interval '1 day') AT TIME ZONE zone - quiet.dawn AT TIME ZONE zone)
            END
        FROM held_days CROSS JOIN LATERAL generate_series(
            (coalesce(day + 1, first_day))::timestamp, (coalesce(following_day, hi) - 1)::timestamp, interval '1 day'
        ) AS quiet(dawn)
        WHERE is_spread AND coalesce(following_day, hi) > coalesce(day + 1, first_day)
    ),
    level_days AS (
        SELECT number, origin, answer, {listed("day", "quantity", "count")} AS days
        FROM (
            SELECT number, origin, unit_numerator, unit_denominator, answer, day, sum(quantity) AS quantity,
                sum(count)::bigint AS count
            FROM levels_by_day
            GROUP BY number, origin, unit_numerator, unit_denominator, answer, day
        ) AS days
        GROUP BY number, origin, answer
    ),
    whole AS MATERIALIZED (
        SELECT number, origin, answer AS stream, min(first) AS first, max(last) AS last, sum(count)::bigint AS count,
            max(days) AS days, sum(quantity) AS quantity
        FROM (
            SELECT number, origin, answer, min(first) AS first, max(last) AS last, sum(count) AS count,
                NULL AS days, {in_units("sum(quantity)")} AS quantity
            FROM levels_by_stream
            GROUP BY number, origin, unit_numerator, unit_denominator, answer
            UNION ALL
            SELECT number, origin, answer, NULL, NULL, NULL, days, NULL FROM level_days
        ) AS parts
        GROUP BY number, origin, answer
    )
"""  # noqa: S608 - put together from constants
