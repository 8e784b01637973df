"""How much does the way over HTTP cost? The same measurements are written by bare COPY-and-upsert, and sent.

Both in batches of a thousand, each batch committed, into the same tables with the same indexes and triggers: first one
connection that knows every id beforehand, then, with the tables emptied, clients of the API against the web server
as ``up`` runs it. By hand: ``uv run python -m tests.bench.intake``.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from threading import local
from typing import Any
from urllib.parse import urlsplit

import psycopg

from tests.bench.installation import peak_memory, servers, web
from tests.bench.result import Line, choose

MONTH = datetime(2026, 3, 1, tzinfo=UTC)
SECONDS = 30 * 24 * 3600
REGIONS = ("eu", "us", "asia")


@dataclass(frozen=True)
class Figures:
    measurements: int
    bare: float
    sent: float
    megabytes: int

    @property
    def ratio(self) -> float:
        return self.sent / self.bare

    def __str__(self) -> str:
        def pace(seconds: float) -> str:
            return f"{seconds:.1f} s, {self.measurements / seconds:,.0f} a second"

        return (
            f"{self.measurements:,} measurements\n"
            f"bare COPY and upsert: {pace(self.bare)}\n"
            f"over HTTP:            {pace(self.sent)}\n"
            f"ratio {self.ratio:.2f} (at most 4); at most {self.megabytes} MB in a web worker (below 300)"
        )

    def table(self) -> list[Line]:
        floor, measured = (f"{self.measurements / seconds:,.0f} a second" for seconds in (self.bare, self.sent))
        return [
            Line("measurements over HTTP, to bare COPY and upsert", measured, self.ratio, 4, floor),
            Line("memory of a web worker, MB", f"{self.megabytes} MB", self.megabytes, 300),
        ]


@dataclass(frozen=True)
class World:
    """Ids by name, and the key to come in with."""

    vendor_id: int
    meters: dict[str, int]
    customers: dict[str, int]
    key: str


def measure(
    database_url: str, broker_url: str, *, measurements: int, batch: int, clients: int, customers: int, folder: Path
) -> Figures:
    """Django is set up here, on that database, which is migrated."""
    world = _world(customers)
    bare = _bare(database_url, world, _batches(_drawn(world, measurements), batch))
    expected = _written(database_url)
    _empty(database_url)
    bodies = [_body(rows) for rows in _batches(_drawn(world, measurements), batch)]
    with web(database_url, broker_url, folder / "web.log") as (url, pid):
        sent = _timed(lambda: _send_all(url, world.key, bodies, clients))
        megabytes = peak_memory(pid)
    if _written(database_url) != expected:
        raise RuntimeError("The two ways did not write the same measurements.")
    return Figures(measurements, bare, sent, megabytes)


def _world(customers: int) -> World:
    from django.utils import timezone

    from billing_portal.accounts.models import ApiKey
    from customers.models import Customer
    from invoicing.models import Meter
    from invoicing.usage.partitions import ensure_months, month_of
    from tests.factories import CustomerFactory, MeterFactory, VendorFactory

    vendor = VendorFactory()
    meters = Meter.objects.bulk_create(MeterFactory.build(vendor=vendor, primary_labels=["region"]) for _ in range(3))
    made = Customer.objects.bulk_create(CustomerFactory.build(vendor=vendor) for _ in range(customers))
    _, key = ApiKey.issue(vendor, "bench", now=timezone.now())
    ensure_months([month_of(MONTH)])
    return World(vendor.pk, {m.name: m.pk for m in meters}, {c.name: c.pk for c in made}, key)


@dataclass(frozen=True)
class Drawn:
    meter: str
    customer: str
    time: datetime
    value: float
    region: str


def _drawn(world: World, count: int) -> Iterator[Drawn]:
    """The same each time, all over the month."""
    dice = random.Random(7)  # noqa: S311
    meters, customers = list(world.meters), list(world.customers)
    for number in range(count):
        moment = MONTH + timedelta(seconds=SECONDS * number / count, microseconds=dice.randrange(1000))
        yield Drawn(
            dice.choice(meters), dice.choice(customers), moment, dice.randrange(1, 9999) / 4, dice.choice(REGIONS)
        )


def _batches(rows: Iterator[Drawn], size: int) -> Iterator[list[Drawn]]:
    while found := list(islice(rows, size)):
        yield found


_BESIDE = """
    CREATE TEMPORARY TABLE incoming (
        vendor_id bigint, meter_id bigint, customer_id bigint, "time" timestamptz, value numeric, stream text,
        external_id text, labels jsonb, reset_total bool, received_at timestamptz
    ) ON COMMIT DELETE ROWS
"""
_COLUMNS = 'vendor_id, meter_id, customer_id, "time", value, stream, external_id, labels, reset_total, received_at'
_UPSERT = f"""
    INSERT INTO invoicing_measurement ({_COLUMNS}) SELECT {_COLUMNS} FROM incoming
    ON CONFLICT (meter_id, customer_id, "time", stream, external_id) DO UPDATE SET value = excluded.value,
        labels = excluded.labels, reset_total = excluded.reset_total, received_at = excluded.received_at
"""  # noqa: S608


def _bare(database_url: str, world: World, batches: Iterator[list[Drawn]]) -> float:
    """Only the database's part is timed; the rows are drawn and made in between."""
    seconds = 0.0
    with psycopg.connect(database_url) as connection:
        connection.execute(_BESIDE)
        connection.commit()
        for drawn in batches:
            rows = [_row(world, one) for one in drawn]
            seconds += _timed(lambda rows=rows: _upsert(connection, rows))  # type: ignore[misc]
    return seconds


def _row(world: World, one: Drawn) -> tuple[Any, ...]:
    labels, stream = json.dumps({"region": one.region}), json.dumps([one.region])
    where = (world.vendor_id, world.meters[one.meter], world.customers[one.customer])
    return (*where, one.time, one.value, stream, "", labels, False, MONTH)


def _upsert(connection: psycopg.Connection[Any], rows: Sequence[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY incoming ({_COLUMNS}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(_UPSERT)
    connection.commit()


def _body(rows: Sequence[Drawn]) -> bytes:
    items = [
        {
            "meter_name": one.meter,
            "customer_name": one.customer,
            "time": one.time.isoformat(),
            "value": one.value,
            "labels": {"region": one.region},
        }
        for one in rows
    ]
    return json.dumps(items).encode()


def _send_all(url: str, key: str, bodies: Sequence[bytes], clients: int) -> None:
    """Each client keeps its connection and sends one batch after the other."""
    address, mine = urlsplit(url).netloc, local()

    def send(body: bytes) -> None:
        if not hasattr(mine, "connection"):
            mine.connection = http.client.HTTPConnection(address, timeout=60)
        headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "Idempotency-Key": str(uuid.uuid4()),
        }
        mine.connection.request("POST", "/api/v1/measurements/multi", body, headers)
        answer = mine.connection.getresponse()
        told = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {told[:500]!r}")

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(send, bodies))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _written(database_url: str) -> tuple[Any, ...] | None:
    with psycopg.connect(database_url) as connection:
        return connection.execute("SELECT count(*), sum(value) FROM invoicing_measurement").fetchone()


def _empty(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("TRUNCATE invoicing_measurement, invoicing_staleusage")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measurements", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=1_000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--customers", type=int, default=1_000)
    options, finish = choose(parser, {"measurements": 100_000})
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        figures = measure(*servers(folder, stack), folder=folder, **vars(options))
        sys.stdout.write(f"{figures}\n")
    finish(figures.table())


if __name__ == "__main__":
    main()
