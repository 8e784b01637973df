"""What does reading over the API cost, beside the plainest view of the same rows?

Two web servers, each started as ``up`` starts it, on one database: this project, and ``tests/bench/plain.py`` in a
Django project as it comes. Both look the key up, find the rows and shape them with the same functions; ours counts the
request against the key's limit, names it, refuses unknown parameters, marks pages. One client with one connection asks
both in turns, so that whatever else the machine does meets both; told are each server's typical requests.

By hand: ``uv run python -m tests.bench.api_read``.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg

from tests.bench.installation import servers, web
from tests.bench.result import Line, choose

INVOICES = 1_000_000
CUSTOMERS = 1_000
PAGE = 100
AT_MOST = 2.0
# Of one server, before it is the other's turn.
IN_A_ROW = 10


@dataclass(frozen=True)
class World:
    key: str
    invoices: int
    paths: dict[str, str]


@dataclass(frozen=True)
class Figure:
    what: str
    ours: float
    plain: float

    @property
    def ratio(self) -> float:
        return self.ours / self.plain

    def __str__(self) -> str:
        return f"{self.what:<44} {self.ours * 1000:7.2f} ms {self.plain * 1000:7.2f} ms   {self.ratio:.2f}"

    @property
    def line(self) -> Line:
        floor, measured = (f"{1000 * seconds:.2f} ms" for seconds in (self.plain, self.ours))
        return Line(self.what.strip(), measured, self.ratio, AT_MOST, floor)


def measure(database_url: str, broker_url: str, *, scale: float, requests: int, folder: Path) -> Iterator[Figure]:
    """Django is set up here, on that database, which is migrated."""
    world = _world(database_url, int(INVOICES * scale))
    plain_settings = {"DJANGO_SETTINGS_MODULE": "tests.bench.plain_settings"}
    limit = {"API_REQUESTS_PER_MINUTE": "100000000"}  # counted, as usual, and never reached
    with (
        web(database_url, broker_url, folder / "ours.log", limit) as (ours, _),
        web(database_url, broker_url, folder / "plain.log", plain_settings) as (plain, _),
        _client(ours, world.key) as ask_us,
        _client(plain, world.key) as ask_plain,
    ):
        for what, path in world.paths.items():
            _check_same(ask_us.get(path), ask_plain.get(path), what)
            yield Figure(what, *_typical(ask_us, ask_plain, path, requests))


def _typical(ours: Client, plain: Client, path: str, requests: int) -> tuple[float, float]:
    """Medians, the servers asked in turns; the first turn is not counted."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(requests // IN_A_ROW + 1):
        for client, found in zip((ours, plain), times, strict=True):
            taken = [client.timed(path) for _ in range(IN_A_ROW)]
            found += taken if turn else []
    return statistics.median(times[0]), statistics.median(times[1])


@dataclass(frozen=True)
class Client:
    connection: http.client.HTTPConnection
    headers: dict[str, str]

    def get(self, path: str) -> Any:
        return json.loads(self._read(path))

    def timed(self, path: str) -> float:
        began = time.perf_counter()
        self._read(path)
        return time.perf_counter() - began

    def _read(self, path: str) -> bytes:
        self.connection.request("GET", f"/api/v1{path}", headers=self.headers)
        answer = self.connection.getresponse()
        told = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {told[:500]!r}")
        return told


@contextmanager
def _client(url: str, key: str) -> Iterator[Client]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
    try:
        yield Client(connection, {"Authorization": f"Bearer {key}"})
    finally:
        connection.close()


def _check_same(ours: Any, plain: Any, what: str) -> None:
    """The links to documents carry tokens, which are made anew each time."""
    if isinstance(ours, dict) and "invoices" in ours:
        ours, plain = ([one["id"] for one in page["invoices"]] for page in (ours, plain))
    if isinstance(ours, dict):
        ours, plain = ({name: value for name, value in one.items() if "url" not in name} for one in (ours, plain))
    if ours != plain:
        raise RuntimeError(f"{what}: the two answers differ.")


def _world(database_url: str, invoices: int) -> World:
    from django.utils import timezone

    from billing_portal.accounts.models import ApiKey
    from customers.models import Customer
    from tests.factories import CustomerFactory, InvoiceFactory, LineItemFactory, MeterFactory, VendorFactory

    vendor = VendorFactory()
    Customer.objects.bulk_create(CustomerFactory.build(vendor=vendor) for _ in range(CUSTOMERS))
    meter = MeterFactory(vendor=vendor)
    customer = Customer.objects.of(vendor)[CUSTOMERS // 2]
    invoice = InvoiceFactory(customer=customer)
    LineItemFactory.create_batch(3, invoice=invoice)
    _copies(database_url, invoice.pk, invoices - 1)
    _, key = ApiKey.issue(vendor, "bench", now=timezone.now())
    single = {
        "a customer": f"/customers/{customer.name}",
        "a meter": f"/meters/{meter.name}",
        "an invoice with three lines": f"/invoices/{invoice.uuid}",
        f"a page of {PAGE} customers": f"/customers?limit={PAGE}",
    }
    return World(key, invoices, single | dict(_pages(database_url, invoices)))


def _copies(database_url: str, invoice: int, count: int) -> None:
    """Invoices like that one, of all customers, each a second and a cent apart."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        found = connection.execute(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_name = 'invoicing_invoice' AND is_generated = 'NEVER'"
        )
        made = {
            "uuid": "gen_random_uuid()",
            "number": "'C-' || n",
            "customer_id": "customers[1 + n % cardinality(customers)]",
            "generated_at": "generated_at - n * interval '1 second'",
            "issue_date": "issue_date - n * interval '1 second'",
            "amount_due": "amount_due + n",
        }
        columns = sorted({str(name) for (name,) in found} - {"id"})
        values = ", ".join(made.get(name, f'"{name}"') for name in columns)
        names = ", ".join(f'"{name}"' for name in columns)
        connection.execute(
            f"INSERT INTO invoicing_invoice ({names}) SELECT {values} FROM invoicing_invoice,"  # type: ignore[arg-type] # noqa: S608
            f" generate_series(1, {count}) AS n,"
            f" (SELECT array_agg(id) AS customers FROM customers_customer) AS all_of_them"
            f" WHERE invoicing_invoice.id = {invoice}"
        )
        connection.execute("VACUUM ANALYZE")


def _pages(database_url: str, invoices: int) -> Iterator[tuple[str, str]]:
    """The first page of each order, and one from the middle of the table."""
    with psycopg.connect(database_url) as connection:
        for column in ("generated_at", "issue_date", "amount_due"):
            path = f"/invoices?limit={PAGE}&sort_column={column}"
            middle = connection.execute(
                f"SELECT {column}, id FROM invoicing_invoice ORDER BY {column} DESC OFFSET %s LIMIT 1",  # type: ignore[arg-type] # noqa: S608
                [invoices // 2],
            ).fetchone()
            assert middle is not None
            place = quote(str(middle[0]) if isinstance(middle[0], int) else middle[0].isoformat())
            yield f"{PAGE} of {invoices:,} invoices by {column}", path
            offsets = f"&forward_sort_offset={place}&forward_secondary_sort_offset={middle[1]}"
            yield f"  from the middle on, by {column}", path + offsets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help=f"1 is {INVOICES:,} invoices")
    parser.add_argument("--requests", type=int, default=300, help="of each kind, to each server")
    options, finish = choose(parser, {"scale": 0.05, "requests": 60})
    lines = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        sys.stdout.write(f"{'a typical request for':<44} {'ours':>10} {'plain':>10}   ratio (at most {AT_MOST:.0f})\n")
        for figure in measure(*servers(folder, stack), folder=folder, **vars(options)):
            sys.stdout.write(f"{figure}\n")
            sys.stdout.flush()
            lines.append(figure.line)
    finish(lines)


if __name__ == "__main__":
    main()
