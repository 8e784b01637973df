"""Measurements in a table partitioned by month, and the marks that say which days' sums are out of date.

Why so, and what was weighed against it: ``docs/adr/0002-measurements-by-month.md``.
"""

from django.db import migrations

# The columns are those that the migration before this one made; the table is empty here.
PARTITION = """
    ALTER TABLE invoicing_measurement RENAME TO invoicing_measurement_plain;
    CREATE TABLE invoicing_measurement (
        LIKE invoicing_measurement_plain INCLUDING DEFAULTS INCLUDING IDENTITY
    ) PARTITION BY RANGE ("time");
    DROP TABLE invoicing_measurement_plain;
    ALTER TABLE invoicing_measurement
        ADD CONSTRAINT measurement_replaces PRIMARY KEY (meter_id, customer_id, "time", stream, external_id),
        ADD CONSTRAINT measurement_vendor FOREIGN KEY (vendor_id) REFERENCES customers_vendor DEFERRABLE INITIALLY DEFERRED,
        ADD CONSTRAINT measurement_meter FOREIGN KEY (meter_id) REFERENCES invoicing_meter DEFERRABLE INITIALLY DEFERRED,
        ADD CONSTRAINT measurement_customer FOREIGN KEY (customer_id) REFERENCES customers_customer DEFERRABLE INITIALLY DEFERRED;
    CREATE INDEX measurement_newest ON invoicing_measurement (vendor_id, received_at DESC, id DESC);
    CREATE INDEX measurement_id ON invoicing_measurement (id);
    CREATE INDEX measurement_of_customer ON invoicing_measurement (customer_id);
"""

# One statement writes as many marks as there are days of a meter and customer in it, however many rows.
MARKS = """
    CREATE FUNCTION invoicing_usage_touched() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO invoicing_staleusage (meter_id, customer_id, first, last)
        SELECT touched.meter_id, touched.customer_id, min(touched."time"), max(touched."time")
        FROM touched JOIN customers_vendor AS vendor ON vendor.id = touched.vendor_id
        GROUP BY touched.meter_id, touched.customer_id, (touched."time" AT TIME ZONE vendor.time_zone)::date;
        RETURN NULL;
    END $$;

    CREATE FUNCTION invoicing_usage_changed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO invoicing_staleusage (meter_id, customer_id, first, last)
        SELECT touched.meter_id, touched.customer_id, min(touched."time"), max(touched."time")
        FROM (SELECT * FROM was UNION ALL SELECT * FROM becomes) AS touched
        JOIN customers_vendor AS vendor ON vendor.id = touched.vendor_id
        GROUP BY touched.meter_id, touched.customer_id, (touched."time" AT TIME ZONE vendor.time_zone)::date;
        RETURN NULL;
    END $$;

    CREATE TRIGGER measurement_inserted AFTER INSERT ON invoicing_measurement
        REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION invoicing_usage_touched();
    CREATE TRIGGER measurement_deleted AFTER DELETE ON invoicing_measurement
        REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION invoicing_usage_touched();
    CREATE TRIGGER measurement_changed AFTER UPDATE ON invoicing_measurement
        REFERENCING OLD TABLE AS was NEW TABLE AS becomes FOR EACH STATEMENT EXECUTE FUNCTION invoicing_usage_changed();
"""

# Days are those of the vendor's zone. In another zone they are others: all are counted anew. The lock is the one that
# folding holds (invoicing/usage/folding.py).
ZONES = """
    CREATE FUNCTION invoicing_zone_changed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (
            SELECT FROM invoicing_usageday AS kept JOIN invoicing_meter AS meter ON meter.id = kept.meter_id
            WHERE meter.vendor_id = NEW.id
                AND kept.first < (SELECT max(month) + interval '1 month' FROM invoicing_droppedmonth) AT TIME ZONE 'UTC'
        ) THEN
            RAISE EXCEPTION 'The time zone of a vendor stays as it is once measurements were dropped: its days could not be counted anew.';
        END IF;
        PERFORM pg_advisory_xact_lock(hashtextextended('invoicing folds usage', 5));
        DELETE FROM invoicing_usageday AS kept USING invoicing_meter AS meter
        WHERE meter.id = kept.meter_id AND meter.vendor_id = NEW.id;
        INSERT INTO invoicing_staleusage (meter_id, customer_id, first, last)
        SELECT meter_id, customer_id, min("time"), max("time") FROM invoicing_measurement
        WHERE vendor_id = NEW.id
        GROUP BY meter_id, customer_id, ("time" AT TIME ZONE NEW.time_zone)::date;
        RETURN NULL;
    END $$;

    CREATE TRIGGER measurement_zone AFTER UPDATE OF time_zone ON customers_vendor
        FOR EACH ROW WHEN (OLD.time_zone IS DISTINCT FROM NEW.time_zone) EXECUTE FUNCTION invoicing_zone_changed();
"""


class Migration(migrations.Migration):
    dependencies = [("invoicing", "0001_initial")]

    operations = [migrations.RunSQL(sql) for sql in (PARTITION, MARKS, ZONES)]
