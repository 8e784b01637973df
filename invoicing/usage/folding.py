"""From measurements to days: ``UsageDay`` rows are made anew from the measurements of every day that was touched.

The marks of a chunk are taken away and its days counted in one statement, so both see the same measurements. What is
committed later brings its own mark. Only one process folds at a time, so that an older count never replaces a newer.

Days whose measurements were dropped, or some of them, stay what they are.

What has limits is noted for ``subscriptions/usage_limits.py``, which holds the new usage against them.

Nothing waits for folding: whoever asks for usage reads the measurements of touched days themselves.
"""

from __future__ import annotations

from django.db import connection, transaction

CHUNK = 20_000

# The same lock is taken where a vendor's time zone changes (migrations/0002_measurements_by_month.py).
_ALONE = "SELECT pg_try_advisory_xact_lock(hashtextextended('invoicing folds usage', 5))"

_FOLD = """
    WITH taken AS (
        DELETE FROM invoicing_staleusage WHERE id IN (
            SELECT id FROM invoicing_staleusage ORDER BY meter_id, customer_id, first LIMIT %s
        )
        RETURNING meter_id, customer_id, first, last
    ),
    touched AS MATERIALIZED (
        SELECT DISTINCT taken.meter_id, taken.customer_id, day::date AS day, vendor.time_zone AS zone,
            meter.data_type = 'CONTINUOUS' AND meter.reporting_method = 'DELTA' AS is_change,
            meter.data_type = 'DISCRETE' OR meter.reporting_method = 'DELTA' AS can_reset
        FROM taken
        JOIN invoicing_meter AS meter ON meter.id = taken.meter_id
        JOIN customers_vendor AS vendor ON vendor.id = meter.vendor_id
        CROSS JOIN LATERAL generate_series(
            date_trunc('day', taken.first AT TIME ZONE vendor.time_zone), taken.last AT TIME ZONE vendor.time_zone,
            interval '1 day'
        ) AS day
        WHERE day AT TIME ZONE vendor.time_zone >= coalesce(
            (SELECT max(month) + interval '1 month' FROM invoicing_droppedmonth) AT TIME ZONE 'UTC', '-infinity'
        )
    ),
    measured AS (
        SELECT touched.*, found.*, count(*) FILTER (WHERE found.reset_total AND touched.can_reset) OVER (
            PARTITION BY touched.meter_id, touched.customer_id, touched.day, found.stream
            ORDER BY found.time, found.external_id
        ) AS part
        FROM touched CROSS JOIN LATERAL (
            SELECT stream, time, external_id, value, reset_total FROM invoicing_measurement AS measurement
            WHERE measurement.meter_id = touched.meter_id AND measurement.customer_id = touched.customer_id
                AND measurement.time >= touched.day::timestamp AT TIME ZONE touched.zone
                AND measurement.time < (touched.day + 1)::timestamp AT TIME ZONE touched.zone
            OFFSET 0
        ) AS found
    ),
    levels AS (
        SELECT *, CASE WHEN is_change THEN sum(value) OVER in_time ELSE value END AS level,
            lead(time) OVER in_time AS next
        FROM measured
        WINDOW in_time AS (
            PARTITION BY meter_id, customer_id, day, stream, part ORDER BY time, external_id ROWS UNBOUNDED PRECEDING
        )
    ),
    fresh AS MATERIALIZED (
        SELECT meter_id, customer_id, day, stream, part, min(time) AS first, max(time) AS last, count(*) AS count,
            sum(value) AS sum, min(level) AS low, max(level) AS high, max(level) FILTER (WHERE next IS NULL) AS latest,
            coalesce(sum(level * extract(epoch FROM next - time)), 0) AS area
        FROM levels
        GROUP BY meter_id, customer_id, day, stream, part
        ORDER BY meter_id, customer_id, day
    ),
    watched AS (
        INSERT INTO invoicing_usagelimitcheck (meter_id, customer_id)
        SELECT DISTINCT taken.meter_id, taken.customer_id FROM taken
        WHERE EXISTS (
            SELECT FROM invoicing_meteredcomponent AS component WHERE component.meter_id = taken.meter_id
                AND (component."limit" IS NOT NULL OR component.label_limits <> '[]')
        )
    ),
    emptied AS (
        DELETE FROM invoicing_usageday AS kept USING touched
        WHERE kept.meter_id = touched.meter_id AND kept.customer_id = touched.customer_id AND kept.day = touched.day
            AND NOT EXISTS (
                SELECT FROM fresh WHERE fresh.meter_id = kept.meter_id AND fresh.customer_id = kept.customer_id
                    AND fresh.day = kept.day AND fresh.stream = kept.stream AND fresh.part = kept.part
            )
    ),
    written AS (
        INSERT INTO invoicing_usageday (
            meter_id, customer_id, day, stream, part, first, last, count, sum, low, high, latest, area
        )
        SELECT * FROM fresh
        ON CONFLICT (meter_id, customer_id, day, stream, part) DO UPDATE SET
            first = excluded.first, last = excluded.last, count = excluded.count, sum = excluded.sum,
            low = excluded.low, high = excluded.high, latest = excluded.latest, area = excluded.area
    )
    SELECT count(*) FROM taken
"""


def fold_usage(*, chunk: int = CHUNK) -> int:
    """Fold what was touched, a transaction for each chunk. Answers how many marks were dealt with."""
    total = 0
    while taken := _fold_chunk(chunk):
        total += taken
        if taken < chunk:
            break
    return total


def _fold_chunk(chunk: int) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_ALONE)
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(_FOLD, [chunk])
        return int(cursor.fetchone()[0])
