"""What ``tests/bench/pages.py`` measures with 200,000 invoices, with 10,000: no screen asks the database more often
because there is more, and none has it read or sort a table of that size."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from tests.bench.many_rows import fill
from tests.bench.pages import addresses, compare
from tests.portal.scene import Scene

SignedIn = Callable[..., Client]

# With so few the planner may well read a table; and what is built elsewhere is measured by the bench.
LISTS = ("invoices", "customers", "dunning", "generated invoice", "failed invoice")


def test_screens_cost_no_more_where_there_is_more(scene: Scene, signed_in: SignedIn) -> None:
    pages = {name: address for name, address in addresses(scene).items() if name.startswith(LISTS)}
    assert len(pages) > 40
    fill(scene, customers=50, invoices=50)
    # A name's 200 customers must be few among them, or reading the table would be the right plan, now and then.
    results = compare(signed_in(), pages, lambda: fill(scene, customers=30_000, invoices=10_000, first=2))
    complaints = "\n".join(str(result) for result in results if not result.is_good)
    assert not complaints
