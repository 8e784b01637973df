"""Does a screen of the portal cost more where there is more? Every page is asked for with 50 invoices, and again with
200,000 invoices of 50,000 customers.

What has to hold: no more queries, although the few rows are of every kind; no statement that reads a table of some
thousand rows from end to end, or sorts as many (each statement that was sent is given to EXPLAIN); and the invoice list
served in at most twice the time that it takes with 1,000 invoices.

By hand: ``uv run python -m tests.bench.pages``; ``--scale 0.05`` for a twentieth of it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.installation import servers
from tests.bench.result import Line, choose

if TYPE_CHECKING:
    from django.test import Client

    from tests.bench.watching import Asked
    from tests.portal.scene import Scene

CUSTOMERS, INVOICES = 50_000, 200_000
TIMES = 15
MOST_TIMES_AS_LONG = 2.0


@dataclass
class Result:
    page: str
    few: int
    many: int
    milliseconds: float
    complaints: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return self.many <= self.few and not self.complaints

    def __str__(self) -> str:
        mark = "ok  " if self.is_good else "BAD "
        told = "".join(f"\n      {complaint}" for complaint in self.complaints)
        return f"{mark} {self.page:<44} {self.few:>3} -> {self.many:>3} queries, {self.milliseconds:7.1f} ms{told}"


def addresses(scene: Scene) -> dict[str, str]:
    """Every screen, and what can be asked of the lists."""
    from django.urls import reverse

    from billing_portal.portal.customer_filters import STANDINGS
    from billing_portal.portal.invoice_filters import tabs
    from tests.portal.scene import NOW
    from tests.portal.test_screens import PAGES

    found = {name: address(scene) for name, address in PAGES.items()}
    invoices, customers, dunning = (reverse(f"portal:{name}") for name in ("invoices", "customers", "dunning"))
    found |= {f"invoices, {tab.label}": f"{invoices}?status={tab.key}" for tab in tabs(NOW) if tab.key}
    asked = {
        "number": "q=INV-0014", "first letters": "q=B", "customer": "q=robotics", "e-mail": "q=person-0-7",
        "Stripe id": "q=in_1hooli", "nothing": "q=zzzzzz", "due": "due_from=2026-02-15&due_to=2026-02-20",
        "amount": "amount_from=420&amount_to=421", "amount, paid": "status=paid&amount_from=170&amount_to=171",
        "customer's": "customer=acme", "Stripe": "provider=stripe",
        "with overrides": "overrides=yes", "without overrides": "overrides=no", "overrides, paid":
        "overrides=yes&status=paid", "deep": "before=0_1771545600000000_900", "deep, paid":
        "status=paid&before=1771545600000000_900", "back": "after=0_1771545600000000_900",
    }  # fmt: skip
    found |= {f"invoices by {name}": f"{invoices}?{query}" for name, query in asked.items()}
    found |= {f"customers, {key}": f"{customers}?standing={key}" for key in STANDINGS}
    people = {
        "word": "q=robo", "name": "q=person-0-12", "Stripe id": "q=cus_northwind_acme", "tag": "tag=vip",
        "deep": "before=1771545600000000_900",
    }  # fmt: skip
    found |= {f"customers by {name}": f"{customers}?{query}" for name, query in people.items()}
    return found | {f"dunning, {tab}": f"{dunning}?tab={tab}" for tab in ("failed", "late", "stripe", "waiting")}


def visit(client: Client, address: str) -> Asked:
    from tests.bench.watching import watching

    with watching() as asked:
        response = client.get(address)
    assert response.status_code == 200, (address, response.status_code)
    return asked


def compare(client: Client, pages: Mapping[str, str], grow: Callable[[], None]) -> list[Result]:
    """The scene has a few rows of each kind already; ``grow`` makes them many."""
    visit(client, next(iter(pages.values())))  # what is kept in memory is there from now on
    few = {page: len(visit(client, address)) for page, address in pages.items()}
    grow()
    return [_result(client, page, address, few[page]) for page, address in pages.items()]


def _result(client: Client, page: str, address: str, few: int) -> Result:
    began = time.perf_counter()
    asked = visit(client, address)
    milliseconds = 1000 * (time.perf_counter() - began)
    return Result(page, few, len(asked), milliseconds, asked.complaints())


def seconds_of(client: Client, address: str, times: int = TIMES) -> float:
    """The quickest of several: the machine does other things too."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        client.get(address)
        found.append(time.perf_counter() - began)
    return min(found)


def signed_in(scene: Scene) -> Client:
    from django.test import Client

    from billing_portal.accounts.models import Role

    client = Client(SERVER_NAME="localhost")
    client.force_login(scene.operators[Role.OWNER])
    return client


def run(*, customers: int, invoices: int) -> list[Line]:
    """Django is set up. The middle step is where the times are compared with."""
    from django.urls import reverse

    from invoicing.models import Invoice
    from tests.bench.many_rows import fill
    from tests.portal.scene import NOW, make_scene

    scene = make_scene()
    # So that the few rows, too, have a due date within the dashboard's next 24 hours.
    Invoice.objects.filter(pk=scene.invoices["issued"].pk).update(due_date=NOW + timedelta(hours=6))
    client, times = signed_in(scene), dict[int, float]()
    fill(scene, customers=50, invoices=50)

    def grow() -> None:
        fill(scene, customers=250, invoices=950, first=1)
        times[1000] = seconds_of(client, reverse("portal:invoices"))
        began = time.perf_counter()
        fill(scene, customers=customers, invoices=invoices, first=2)
        sys.stdout.write(f"filled in {time.perf_counter() - began:.0f} s\n")

    results = compare(client, addresses(scene), grow)
    times[invoices] = seconds_of(client, reverse("portal:invoices"))
    _report(results, times)
    return _lines(results, times)


def _lines(results: list[Result], times: Mapping[int, float]) -> list[Line]:
    bad = sum(not result.is_good for result in results)
    (few, before), (many, after) = times.items()
    floor, measured = (f"{1000 * seconds:.1f} ms" for seconds in (before, after))
    what = f"the list of {many:,} invoices, beside that of {few:,}"
    return [
        Line("pages with more queries, or that read a table", f"{bad} of {len(results)}", bad, 0),
        Line(what, measured, after / before, MOST_TIMES_AS_LONG, floor),
    ]


def _report(results: list[Result], times: Mapping[int, float]) -> None:
    sys.stdout.write("".join(f"{result}\n" for result in results))
    few, many = times.values()
    said = ", ".join(f"{1000 * seconds:.1f} ms with {count:,} invoices" for count, seconds in times.items())
    sys.stdout.write(f"the invoice list: {said}; {many / few:.2f} times (at most {MOST_TIMES_AS_LONG})\n")
    bad = sum(not result.is_good for result in results)
    sys.stdout.write(f"{len(results) - bad} of {len(results)} pages are as they should be\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="1 is 50,000 customers and 200,000 invoices")
    options, finish = choose(parser, {"scale": 0.05})
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        servers(Path(name), stack)
        lines = run(customers=int(CUSTOMERS * options.scale), invoices=int(INVOICES * options.scale))
    finish(lines)


if __name__ == "__main__":
    main()
