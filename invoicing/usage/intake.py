"""Measurements come in: read, attributed and written, a whole batch or nothing, in a constant number of queries.

The same meter, customer and primary labels with the same id, or without ids with the same time, replaces what was
there: sending twice counts once, sending again corrects.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from customers.customer import Customer
from customers.errors import Busy, Invalid
from customers.vendor import Vendor
from invoicing.catalog.models import Meter
from invoicing.usage.attribution import Directory, Reason, Unattributed, stream_of
from invoicing.usage.buckets import Bucket, floor
from invoicing.usage.csv_files import CsvUpload
from invoicing.usage.models import UnattributedMeasurement
from invoicing.usage.partitions import ensure_months, kept_from, month_of
from invoicing.usage.readings import Reading, read_batch, read_one, read_rows
from invoicing.usage.writing import Key, Row, write

_CHUNK = 1000


def take_in(vendor: Vendor, items: Any, *, now: datetime, real_now: datetime) -> list[Reading]:
    """Store a batch of measurements as they were sent. Raises ``Invalid`` naming place and reason: ``0.value``.

    What matches no customer or meter yet is kept and attributed when one appears.
    """
    readings = read_batch(items, now=now)
    _store(vendor, readings, real_now)
    return readings


def take_in_one(vendor: Vendor, item: Any, *, now: datetime, real_now: datetime) -> Reading:
    """A batch of one, whose refusals name no place."""
    reading = read_one(item, now=now)
    _store(vendor, [reading], real_now)
    return reading


@dataclass(frozen=True, slots=True)
class TakenIn:
    """How many rows a file had, and how many of them wait for their customer or meter."""

    measurements: int = 0
    unattributed: int = 0


def take_in_file(vendor: Vendor, upload: CsvUpload, *, now: datetime, real_now: datetime) -> TakenIn:
    """All of a file, or nothing of it: raises ``Invalid`` naming row and reason (those of the first rows at fault)."""
    taken = TakenIn()
    with transaction.atomic():
        for rows in upload.chunks():
            waiting = _store(vendor, read_rows(rows, now=now), real_now)
            taken = TakenIn(taken.measurements + len(rows), taken.unattributed + waiting)
    return taken


def _store(vendor: Vendor, readings: list[Reading], real_now: datetime) -> int:
    """How many wait for their customer or meter."""
    with transaction.atomic():
        _refuse_dropped(vendor, readings)
        # Also for those that wait: whoever attributes them makes no months.
        ensure_months({month_of(reading.time) for reading in readings})
        directory = Directory(vendor, readings)
        attributed: dict[Key, Row] = {}
        waiting: list[UnattributedMeasurement] = []
        for reading in readings:
            try:
                # Of two with the same key in one batch the later one counts.
                attributed.update((row.key, row) for row in _rows(vendor, directory, reading, real_now))
            except Unattributed as reason:
                waiting.append(_waiting(vendor, reading, reason.reason, real_now))
        _hold_customers(attributed.values())
        write(list(attributed.values()), replace=True)
        UnattributedMeasurement.objects.bulk_create(waiting)
    return len(waiting)


def _hold_customers(rows: Iterable[Row]) -> None:
    """They are neither deleted nor renamed until all is written: waited for here, before any measurement is locked, and
    not by the reference to them at the end."""
    ids = sorted({row.customer_id for row in rows})
    if not ids:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM customers_customer WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE", [ids])
        if len(cursor.fetchall()) < len(ids):
            raise Busy("A customer was deleted at this moment. Send the measurements again.")


def _refuse_dropped(vendor: Vendor, readings: Sequence[Reading]) -> None:
    """A day that was dropped, if only in part, could not be summed up anew."""
    first = _first_taken(vendor)
    if first is None:
        return
    why = (
        f"Measurements of before {first.astimezone(vendor.zone):%Y-%m-%d} are no longer taken: they were dropped after "
        "they were invoiced. Bill what is missing with an ad-hoc charge, or give it a later time."
    )
    if late := [reading for reading in readings if reading.time < first]:
        raise Invalid({f"{reading.at}time": why for reading in late})


def _first_taken(vendor: Vendor) -> datetime | None:
    """From when on measurements are taken; None: from any time."""
    kept = kept_from()
    if kept is None:
        return None
    start = floor(kept, Bucket.DAY, vendor.zone)
    return start if start == kept else floor(kept + timedelta(days=1), Bucket.DAY, vendor.zone)


def _rows(vendor: Vendor, directory: Directory, reading: Reading, received_at: datetime) -> list[Row]:
    found = directory.attribute(reading)
    return [_row(vendor, found.customer_id, meter, reading, received_at) for meter in found.meters]


def _row(vendor: Vendor, customer_id: int, meter: Meter, reading: Reading, received_at: datetime) -> Row:
    return Row(
        vendor_id=vendor.pk,
        meter_id=meter.pk,
        customer_id=customer_id,
        time=reading.time,
        value=reading.value,
        stream=stream_of(meter, reading),
        external_id=reading.external_id,
        labels=json.dumps(dict(reading.labels), ensure_ascii=False),
        reset_total=reading.reset_total,
        received_at=received_at,
    )


def _waiting(vendor: Vendor, reading: Reading, reason: Reason, received_at: datetime) -> UnattributedMeasurement:
    return UnattributedMeasurement(
        vendor=vendor,
        reason=reason,
        meter_name=reading.meter_name,
        event_name=reading.event_name,
        customer_name=reading.customer_name,
        time=reading.time,
        value=reading.value,
        external_id=reading.external_id,
        labels=reading.labels,
        reset_total=reading.reset_total,
        received_at=received_at,
    )


def attribute_pending(vendor: Vendor, *, real_now: datetime) -> int:
    """A meter, customer or mapping is new: give it what was waiting. Answers how many found their place.

    Newest first, and never over what is there already: what was received later has replaced the earlier.
    """
    rows = UnattributedMeasurement.objects.of(vendor).order_by("-received_at", "-pk")
    found, left = 0, rows
    while True:
        with transaction.atomic():
            chunk = list(left.select_for_update()[:_CHUNK])
            found += _attribute(vendor, [(row, _reading(row)) for row in chunk])
        if len(chunk) < _CHUNK:
            return found
        last = chunk[-1]
        older = Q(received_at__lt=last.received_at) | Q(pk__lt=last.pk)
        left = rows.filter(older, received_at__lte=last.received_at)


def attribute_to(customer: Customer, rows: QuerySet[UnattributedMeasurement], *, most: int) -> int:
    """Up to ``most`` of these become the customer's, whatever their labels say. Answers how many did; those of a time
    whose measurements were dropped, or whose meter is gone, still wait."""
    vendor, first = customer.vendor, _first_taken(customer.vendor)
    taken = rows.filter(time__gte=first) if first else rows
    found = 0
    with transaction.atomic():
        newest = list(taken.order_by("-received_at", "-pk").values_list("pk", flat=True)[:most])
        for at in range(0, len(newest), _CHUNK):
            chunk = UnattributedMeasurement.objects.filter(pk__in=newest[at : at + _CHUNK])
            locked = chunk.select_for_update().order_by("-received_at", "-pk")
            found += _attribute(vendor, [(row, _reading(row, customer.name)) for row in locked])
    return found


def _attribute(vendor: Vendor, chunk: Sequence[tuple[UnattributedMeasurement, Reading]]) -> int:
    directory = Directory(vendor, [reading for _, reading in chunk])
    attributed: dict[Key, Row] = {}
    placed: list[int] = []
    still: dict[Reason, list[int]] = {}
    for row, reading in chunk:
        try:
            for measurement in _rows(vendor, directory, reading, row.received_at):
                attributed.setdefault(measurement.key, measurement)
            placed.append(row.pk)
        except Unattributed as reason:
            still.setdefault(reason.reason, []).append(row.pk)
        except Invalid:
            still.setdefault(Reason.MISSING_LABEL, []).append(row.pk)
    write(list(attributed.values()), replace=False)
    UnattributedMeasurement.objects.filter(pk__in=placed).delete()
    _note_reasons(still.items())
    return len(placed)


def _note_reasons(reasons: Iterable[tuple[Reason, list[int]]]) -> None:
    for reason, ids in reasons:
        UnattributedMeasurement.objects.filter(pk__in=ids).exclude(reason=reason).update(reason=reason)


def _reading(row: UnattributedMeasurement, customer_name: str = "") -> Reading:
    """``customer_name`` in place of the one that it was sent with."""
    return Reading(
        at="",
        value=row.value,
        time=row.time,
        meter_name=row.meter_name,
        event_name=row.event_name,
        customer_name=customer_name or row.customer_name,
        labels=row.labels,
        external_id=row.external_id,
        reset_total=row.reset_total,
    )
