"""The two statements that aggregate measurements: where order does not matter, and where a level holds until the next.

Quantity and days come from one statement: measurements that arrive meanwhile are in both or in neither.
What is weighted by time comes in seconds.
"""

_WINDOWS = """
    asked AS MATERIALIZED (
        SELECT asked.number, asked.customer_id, asked.meter_id, asked.start, asked."end", asked.zone, asked.watermark,
            asked.by_stream, meter.data_type, coalesce(nullif(asked.aggregation, ''), meter.aggregation) AS aggregation,
            meter.data_type = 'CONTINUOUS' AND meter.reporting_method = 'DELTA' AS is_change
        FROM unnest(
            %s::int[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::text[], %s::text[],
            %s::numeric[], %s::bool[]
        ) AS asked(number, customer_id, meter_id, start, "end", zone, aggregation, watermark, by_stream)
        JOIN invoicing_meter AS meter ON meter.id = asked.meter_id
    )
"""

# From ``streams`` (the quantity of each) and ``daily`` (that of each stream's day, empty without a zone) to answers.
_ANSWERS = """
    days AS (
        SELECT number, CASE WHEN by_stream THEN stream ELSE '' END AS stream, day, sum(quantity) AS quantity,
            sum(count)::bigint AS count
        FROM daily JOIN asked USING (number) WHERE day IS NOT NULL GROUP BY 1, 2, 3
    ),
    listed AS (
        SELECT number, stream, array_agg(day ORDER BY day) AS days,
            array_agg(quantity ORDER BY day) AS quantities, array_agg(count ORDER BY day) AS counts
        FROM days GROUP BY number, stream
    ),
    totals AS (
        SELECT number, CASE WHEN by_stream THEN stream ELSE '' END AS stream, sum(quantity) AS quantity,
            min(first) AS first, max(last) AS last, sum(count)::bigint AS count
        FROM streams JOIN asked USING (number) GROUP BY 1, 2
    )
    SELECT number, stream, quantity, first, last, count, days, quantities, counts
    FROM totals LEFT JOIN listed USING (number, stream)
    ORDER BY number, stream
"""

# The order of events does not matter, except that a reset forgets what its stream counted before it.
EVENTS = f"""
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
        SELECT asked.number, asked.aggregation, measured.stream,
            CASE WHEN asked.zone <> '' THEN (measured.time AT TIME ZONE asked.zone)::date END AS day,
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
    WITH {_WINDOWS},
    inside AS (
        SELECT asked.number, measured.stream, measured.value, measured.time, measured.external_id
        FROM asked JOIN invoicing_measurement AS measured
            ON measured.meter_id = asked.meter_id AND measured.customer_id = asked.customer_id
            AND measured.time >= asked.start AND measured.time < asked."end"
        WHERE NOT asked.is_change
    ),
    before AS (
        SELECT DISTINCT ON (asked.number, measured.stream)
            asked.number, measured.stream, measured.value, measured.time, measured.external_id
        FROM asked JOIN invoicing_measurement AS measured
            ON measured.meter_id = asked.meter_id AND measured.customer_id = asked.customer_id
            AND measured.time < asked.start
        WHERE asked.data_type = 'CONTINUOUS' AND NOT asked.is_change
        ORDER BY asked.number, measured.stream, measured.time DESC, measured.external_id DESC
    ),
    changes AS (
        SELECT asked.number, asked.start, measured.stream, measured.value, measured.time, measured.external_id,
            count(*) FILTER (WHERE measured.reset_total) OVER (
                PARTITION BY asked.number, measured.stream ORDER BY measured.time, measured.external_id
            ) AS era
        FROM asked JOIN invoicing_measurement AS measured
            ON measured.meter_id = asked.meter_id AND measured.customer_id = asked.customer_id
            AND measured.time < asked."end"
        WHERE asked.is_change
    ),
    changed AS (
        SELECT number, start, stream, time, external_id,
            sum(value) OVER (PARTITION BY number, stream, era ORDER BY time, external_id) AS value,
            lead(time) OVER (PARTITION BY number, stream ORDER BY time, external_id) AS next
        FROM changes
    ),
    levels AS (
        SELECT * FROM inside
        UNION ALL SELECT * FROM before
        UNION ALL SELECT number, stream, value, time, external_id FROM changed
            WHERE time >= start OR next IS NULL OR next >= start
    ),
    held AS MATERIALIZED (
        SELECT asked.*, levels.stream, levels.time, levels.external_id, levels.value,
            greatest(levels.time, asked.start) AS since,
            CASE WHEN lead(levels.time) OVER following IS NULL THEN asked."end"
                ELSE greatest(lead(levels.time) OVER following, asked.start) END AS until,
            row_number() OVER (PARTITION BY number, stream ORDER BY levels.time DESC, levels.external_id DESC) AS newest
        FROM levels JOIN asked USING (number)
        WINDOW following AS (PARTITION BY number, stream ORDER BY levels.time, levels.external_id)
    ),
    counted AS (
        SELECT * FROM held
        WHERE until > since OR time >= start
    ),
    weighed AS (
        SELECT *, CASE WHEN watermark IS NULL THEN value ELSE greatest(value - watermark, 0) END AS weight FROM counted
    ),
    slices AS (
        SELECT weighed.*, slice.midnight::date AS day, greatest(since, slice.midnight AT TIME ZONE zone) AS slice_start,
            least(until, (slice.midnight + interval '1 day') AT TIME ZONE zone) AS slice_end,
            greatest(start, slice.midnight AT TIME ZONE zone) AS day_start,
            least("end", (slice.midnight + interval '1 day') AT TIME ZONE zone) AS day_end
        FROM weighed CROSS JOIN LATERAL generate_series(
            date_trunc('day', since AT TIME ZONE zone), until AT TIME ZONE zone, interval '1 day'
        ) AS slice(midnight)
        WHERE zone <> '' AND data_type = 'CONTINUOUS' AND aggregation IN ('TIME_WEIGHTED_SUM', 'AVG')
    ),
    measured AS (
        SELECT *, (time AT TIME ZONE zone)::date AS day, row_number() OVER (
            PARTITION BY number, stream, (time AT TIME ZONE zone)::date ORDER BY time DESC, external_id DESC
        ) AS newest_of_day
        FROM counted
        WHERE zone <> '' AND aggregation IN ('LATEST', 'MAX', 'MIN')
    ),
    daily AS (
        SELECT number, stream, day, count(*) AS count,
            CASE aggregation
                WHEN 'LATEST' THEN max(value) FILTER (WHERE newest_of_day = 1)
                WHEN 'MAX' THEN max(value)
                WHEN 'MIN' THEN min(value)
            END AS quantity
        FROM measured
        GROUP BY number, aggregation, stream, day
        UNION ALL
        SELECT number, stream, day, count(*) FILTER (WHERE time >= slice_start) AS count,
            sum(weight * extract(epoch FROM slice_end - slice_start))
                / CASE aggregation WHEN 'AVG' THEN extract(epoch FROM min(day_end) - min(day_start)) ELSE 1 END
        FROM slices
        WHERE slice_end > slice_start
        GROUP BY number, aggregation, stream, day
    ),
    streams AS (
        SELECT number, stream,
            CASE aggregation
                WHEN 'LATEST' THEN max(value) FILTER (WHERE newest = 1)
                WHEN 'MAX' THEN max(value)
                WHEN 'MIN' THEN min(value)
                WHEN 'TIME_WEIGHTED_SUM' THEN sum(weight * extract(epoch FROM until - since))
                WHEN 'AVG' THEN sum(weight * extract(epoch FROM until - since))
                    / extract(epoch FROM max("end") - min(start))
            END AS quantity,
            min(time) AS first, max(time) AS last, count(*) AS count
        FROM weighed
        GROUP BY number, aggregation, stream
    ),
    {_ANSWERS}
"""  # noqa: S608 - put together from constants
