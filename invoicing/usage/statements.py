"""The two statements that aggregate measurements: where order does not matter, and where a level holds until the next.

Windows of whole days that are kept, and nothing else, are answered from these at once (``whole_days.py``). For the
others both statements work on *pieces*: a whole day of a stream as ``UsageDay`` keeps it, or a single measurement. Days
are taken where they lie in the window as a whole and are not stale; measurements at the window's edges, and of stale
days. A piece begins with the measurement ``first`` and ends with the measurement ``last``; for a single one these are
the same. ``first``, ``part`` and ``external_id`` are its place in its stream's time.

Quantity and days come from one statement, and so do the days and what says which of them are stale: measurements that
arrive meanwhile are in all of it or in none.
"""

from invoicing.usage.whole_days import ASKED, EVENTS_OF_WHOLE_DAYS, LEVELS_OF_WHOLE_DAYS, in_units, listed

# Those that are not answered yet.
_WINDOWS = """
    asked AS MATERIALIZED (
        SELECT wanted.* FROM wanted LEFT JOIN plain USING (number) LEFT JOIN unclear USING (number)
        WHERE plain.number IS NULL OR unclear.number IS NOT NULL
    ),
    stale AS MATERIALIZED (
        SELECT asked.number, day::date AS day
        FROM asked
        JOIN invoicing_staleusage AS mark ON mark.meter_id = asked.meter_id AND mark.customer_id = asked.customer_id
        CROSS JOIN LATERAL generate_series(
            date_trunc('day', mark.first AT TIME ZONE kept_zone), mark.last AT TIME ZONE kept_zone, interval '1 day'
        ) AS day
        WHERE day >= asked.lo AND day < asked.hi OR asked.has_history AND day < asked.first_day
        UNION
        SELECT asked.number, kept.day
        FROM asked
        JOIN invoicing_usageday AS kept ON kept.meter_id = asked.meter_id AND kept.customer_id = asked.customer_id
            AND kept.day >= asked.lo AND kept.day < asked.hi
        WHERE asked.watermark IS NOT NULL AND kept.low < asked.watermark AND kept.high > asked.watermark
    ),
    spans AS MATERIALIZED (
        SELECT number, meter_id, customer_id, CASE WHEN has_history THEN midnight ELSE start END AS since,
            lo_time AS until
        FROM asked WHERE lo_time > CASE WHEN has_history THEN midnight ELSE start END
        UNION ALL
        SELECT number, meter_id, customer_id, hi_time, "end" FROM asked WHERE "end" > hi_time
        UNION ALL
        SELECT number, meter_id, customer_id, stale.day::timestamp AT TIME ZONE kept_zone,
            (stale.day + 1)::timestamp AT TIME ZONE kept_zone
        FROM stale JOIN asked USING (number)
    ),
    pieces AS MATERIALIZED (
        SELECT spans.number, found.stream, found.time AS first, found.time AS last, 0 AS part, found.external_id,
            found.reset_total AS resets, 1::bigint AS count, found.value AS sum, found.value AS low,
            found.value AS high, found.value AS latest, 0::numeric AS area
        FROM spans CROSS JOIN LATERAL (
            SELECT stream, time, external_id, value, reset_total FROM invoicing_measurement AS measurement
            WHERE measurement.meter_id = spans.meter_id AND measurement.customer_id = spans.customer_id
                AND measurement.time >= spans.since AND measurement.time < spans.until
            OFFSET 0
        ) AS found
        UNION ALL
        SELECT asked.number, found.stream, found.first, found.last, found.part, '', found.part > 0, found.count,
            found.sum, found.low, found.high, found.latest, found.area
        FROM asked CROSS JOIN LATERAL (
            SELECT * FROM invoicing_usageday AS kept
            WHERE kept.meter_id = asked.meter_id AND kept.customer_id = asked.customer_id
                AND kept.day >= asked.lo AND kept.day < asked.hi
            OFFSET 0
        ) AS found
        WHERE NOT EXISTS (SELECT FROM stale WHERE stale.number = asked.number AND stale.day = found.day)
        UNION ALL
        SELECT asked.number, found.stream, found.first, found.last, found.part, '', found.part > 0, found.count,
            found.sum, found.low, found.high, found.latest, found.area
        FROM asked CROSS JOIN LATERAL (
            SELECT * FROM invoicing_usageday AS kept
            WHERE kept.meter_id = asked.meter_id AND kept.customer_id = asked.customer_id
                AND kept.day < asked.first_day
            OFFSET 0
        ) AS found
        WHERE asked.has_history
            AND NOT EXISTS (SELECT FROM stale WHERE stale.number = asked.number AND stale.day = found.day)
    )
"""

# ``lost`` are those that would need measurements which were dropped.
# From ``streams`` (the quantity of each) and ``daily`` (that of each stream's day, empty without a zone) to answers.
_ANSWERS = f"""
    lost AS (
        SELECT spans.number
        FROM spans JOIN (
            SELECT (max(month) + interval '1 month') AT TIME ZONE 'UTC' AS until FROM invoicing_droppedmonth
        ) AS dropped ON spans.since < dropped.until
        WHERE EXISTS (
            SELECT FROM invoicing_usageday AS kept
            WHERE kept.meter_id = spans.meter_id AND kept.customer_id = spans.customer_id
                AND kept.day >= (spans.since AT TIME ZONE 'UTC')::date - 1
                AND kept.day <= (spans.until AT TIME ZONE 'UTC')::date + 1
                AND kept.first < least(spans.until, dropped.until) AND kept.last >= spans.since
        )
    ),
    days AS (
        SELECT number, CASE WHEN by_stream THEN stream ELSE '' END AS stream, day, sum(quantity) AS quantity,
            sum(count)::bigint AS count
        FROM daily JOIN asked USING (number) WHERE day IS NOT NULL GROUP BY 1, 2, 3
    ),
    listed AS (
        SELECT number, stream, {listed("day", "quantity", "count")} AS days
        FROM days JOIN asked USING (number) GROUP BY number, stream
    ),
    totals AS (
        SELECT number, CASE WHEN by_stream THEN stream ELSE '' END AS stream, sum(quantity) AS quantity,
            min(first) AS first, max(last) AS last, sum(count)::bigint AS count
        FROM streams JOIN asked USING (number) GROUP BY 1, 2
    )
    SELECT number, stream, {in_units("quantity")} AS quantity, first, last, count, origin, days
    FROM totals JOIN asked USING (number) LEFT JOIN listed USING (number, stream)
    UNION ALL
    SELECT number, stream, quantity, first, last, count, origin, days
    FROM whole WHERE number NOT IN (SELECT number FROM unclear)
    UNION ALL
    SELECT DISTINCT number, NULL, NULL::numeric, NULL::timestamptz, NULL::timestamptz, NULL::bigint, NULL::date, NULL
    FROM lost
    ORDER BY number, stream
"""  # noqa: S608 - put together from constants

# The order of events does not matter, except that a reset forgets what its stream counted before it.
EVENTS = f"""
    WITH {ASKED}, {EVENTS_OF_WHOLE_DAYS}, {_WINDOWS},
    resets AS MATERIALIZED (
        SELECT DISTINCT ON (number, stream) number, stream, pieces.first, pieces.part, pieces.external_id
        FROM pieces JOIN asked USING (number)
        WHERE pieces.resets AND asked.aggregation = 'SUM'
        ORDER BY number, stream, pieces.first DESC, pieces.part DESC, pieces.external_id DESC
    ),
    parts AS MATERIALIZED (
        SELECT asked.number, asked.aggregation, pieces.stream,
            CASE WHEN asked.zone <> '' THEN (pieces.first AT TIME ZONE asked.zone)::date END AS day,
            sum(pieces.sum) AS sum, max(pieces.high) AS max, min(pieces.low) AS min, sum(pieces.count) AS count,
            min(pieces.first) AS first, max(pieces.last) AS last
        FROM asked JOIN pieces USING (number)
        LEFT JOIN resets ON resets.number = asked.number AND resets.stream = pieces.stream
        WHERE resets.first IS NULL OR (pieces.first, pieces.part, pieces.external_id)
            >= (resets.first, resets.part, resets.external_id)
        GROUP BY asked.number, asked.aggregation, pieces.stream, day
    ),
    daily AS (
        SELECT number, stream, day, count,
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
        SELECT number, stream,
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

# A level is what was measured last, or, where changes are reported, all of them since the last reset. That of a
# continuous meter at the window's start belongs to the window. Of two at the same moment the larger id is the later.
LEVELS = f"""
    WITH {ASKED}, {LEVELS_OF_WHOLE_DAYS}, {_WINDOWS},
    eras AS (
        SELECT pieces.*, count(*) FILTER (WHERE pieces.resets) OVER (
            PARTITION BY number, stream ORDER BY pieces.first, part, external_id
        ) AS era
        FROM pieces JOIN asked USING (number) WHERE asked.is_change
    ),
    based AS (
        SELECT *, coalesce(sum(latest) OVER (
            PARTITION BY number, stream, era ORDER BY first, part, external_id
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS base
        FROM eras
    ),
    standing AS (
        SELECT number, stream, pieces.first, last, part, external_id, count, low, high, latest, area
        FROM pieces JOIN asked USING (number) WHERE NOT asked.is_change
        UNION ALL
        SELECT number, stream, first, last, part, external_id, count, low + base, high + base, latest + base,
            area + base * extract(epoch FROM last - first)
        FROM based
    ),
    before AS (
        SELECT DISTINCT ON (number, stream) number, stream, standing.last AS first, standing.last, part, external_id,
            1::bigint AS count, latest AS low, latest AS high, latest, 0::numeric AS area
        FROM standing JOIN asked USING (number)
        WHERE standing.first < asked.start
        ORDER BY number, stream, standing.first DESC, part DESC, external_id DESC
    ),
    levels AS (
        SELECT standing.* FROM standing JOIN asked USING (number) WHERE standing.first >= asked.start
        UNION ALL SELECT * FROM before
    ),
    held AS (
        SELECT asked.*, levels.stream, levels.first, levels.last, levels.part, levels.external_id, levels.count,
            levels.low, levels.high, levels.latest, levels.area, greatest(levels.last, asked.start) AS since,
            coalesce(lead(levels.first) OVER (
                PARTITION BY number, stream ORDER BY levels.first, levels.part, levels.external_id
            ), asked."end") AS until,
            row_number() OVER (
                PARTITION BY number, stream ORDER BY levels.first DESC, levels.part DESC, levels.external_id DESC
            ) AS newest
        FROM levels JOIN asked USING (number)
    ),
    weighed AS MATERIALIZED (
        SELECT *, CASE WHEN watermark IS NULL THEN latest ELSE greatest(latest - watermark, 0) END AS weight,
            CASE
                WHEN watermark IS NULL THEN area
                WHEN low >= watermark THEN area - watermark * extract(epoch FROM last - first)
                ELSE 0
            END AS above
        FROM held
        WHERE until > since OR first >= start
    ),
    slices AS (
        SELECT number, stream, slice.midnight::date AS day,
            weight * extract(epoch FROM least(until, (slice.midnight + interval '1 day') AT TIME ZONE zone)
                - greatest(since, slice.midnight AT TIME ZONE zone)) AS area, 0 AS count
        FROM weighed CROSS JOIN LATERAL generate_series(
            date_trunc('day', since AT TIME ZONE zone), until AT TIME ZONE zone, interval '1 day'
        ) AS slice(midnight)
        WHERE zone <> '' AND has_history AND aggregation IN ('TIME_WEIGHTED_SUM', 'AVG')
            AND until > since AND slice.midnight AT TIME ZONE zone < until
        UNION ALL
        SELECT number, stream, (first AT TIME ZONE zone)::date, above, count
        FROM weighed
        WHERE zone <> '' AND has_history AND aggregation IN ('TIME_WEIGHTED_SUM', 'AVG') AND first >= start
    ),
    measured AS (
        SELECT *, (first AT TIME ZONE zone)::date AS day, row_number() OVER (
            PARTITION BY number, stream, (first AT TIME ZONE zone)::date
            ORDER BY first DESC, part DESC, external_id DESC
        ) AS newest_of_day
        FROM weighed
        WHERE zone <> '' AND aggregation IN ('LATEST', 'MAX', 'MIN')
    ),
    daily AS (
        SELECT number, stream, day, sum(count) AS count,
            CASE aggregation
                WHEN 'LATEST' THEN max(latest) FILTER (WHERE newest_of_day = 1)
                WHEN 'MAX' THEN max(high)
                WHEN 'MIN' THEN min(low)
            END AS quantity
        FROM measured
        GROUP BY number, aggregation, stream, day
        UNION ALL
        SELECT number, slices.stream, slices.day, sum(slices.count) AS count,
            sum(slices.area) / CASE asked.aggregation
                WHEN 'AVG' THEN extract(epoch FROM
                    least(asked."end", (slices.day + 1)::timestamp AT TIME ZONE asked.zone)
                    - greatest(asked.start, slices.day::timestamp AT TIME ZONE asked.zone))
                ELSE 1
            END
        FROM slices JOIN asked USING (number)
        GROUP BY number, asked.aggregation, asked.start, asked."end", asked.zone, slices.stream, slices.day
    ),
    streams AS (
        SELECT number, stream,
            CASE aggregation
                WHEN 'LATEST' THEN max(latest) FILTER (WHERE newest = 1)
                WHEN 'MAX' THEN max(high)
                WHEN 'MIN' THEN min(low)
                WHEN 'TIME_WEIGHTED_SUM' THEN sum(above + weight * extract(epoch FROM until - since))
                WHEN 'AVG' THEN sum(above + weight * extract(epoch FROM until - since))
                    / extract(epoch FROM max("end") - min(start))
            END AS quantity,
            min(first) AS first, max(last) AS last, sum(count) AS count
        FROM weighed
        GROUP BY number, aggregation, stream
    ),
    {_ANSWERS}
"""  # noqa: S608 - put together from constants
