"""Does a cycle's invoice cost more where more was measured? The same billing cycles are rated twice, with ten times as
many measurements the second time.

Each customer's plan has three components: events that are added up in tiers, the largest event, and a level by the
hours it held. Measurements lie all over the month. They are put into the table and folded first, as beat does while
they come in; what that takes is printed too. Rating is what beat's task does: invoices with lines, explanations and
events from ended cycles, in a process of its own whose memory is looked at.

By hand: ``uv run python -m tests.bench.rating``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from billing_portal.machine.environment import PROJECT
from tests.bench.installation import servers

START = datetime(2026, 3, 1, tzinfo=UTC)
END = datetime(2026, 4, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Figures:
    measurements: int
    days: int
    folding: float
    lines: int
    seconds: float
    megabytes: int

    def __str__(self) -> str:
        folded = f"{self.measurements:>12,} measurements, folded into {self.days:,} days in {self.folding:.1f} s"
        return f"{folded}; {self.lines:,} lines rated in {self.seconds:.1f} s, at most {self.megabytes} MB"


def measure(database_url: str, *, cycles: int, measurements: int, times: int) -> tuple[Figures, Figures]:
    """Django is set up here, on that database, which is migrated."""
    _world(cycles)
    few = _rate_with(database_url, measurements, 0)
    _forget_invoices(database_url)
    many = _rate_with(database_url, times * measurements, measurements)
    return few, many


def _world(cycles: int) -> None:
    from customers.models import Customer
    from invoicing.models import BillingCycle, PriceTier, Subscription
    from invoicing.subscriptions.models import CycleAction
    from invoicing.usage.partitions import ensure_months, month_of
    from tests.factories import CustomerFactory, PricePlanFactory, SubscriptionFactory, VendorFactory

    vendor = VendorFactory(is_test=False)
    plan = PricePlanFactory(vendor=vendor)
    _components(plan)
    people = Customer.objects.bulk_create(CustomerFactory.build(vendor=vendor) for _ in range(cycles))
    made = [
        SubscriptionFactory.build(customer=one, price_plan=plan, vendor=vendor, effective_at=START) for one in people
    ]
    subscriptions = Subscription.objects.bulk_create(made)
    BillingCycle.objects.bulk_create(
        BillingCycle(
            vendor=vendor, customer=one.customer, subscription=one, index=0, start=START, end=END, ended_at=END,
            next_action=CycleAction.GENERATE, next_action_at=END,
        )
        for one in subscriptions
    )  # fmt: skip
    assert PriceTier.objects.exists()
    ensure_months([month_of(START)])


def _components(plan: object) -> None:
    from invoicing.models import PriceTier
    from tests.factories import MeteredComponentFactory, MeterFactory

    vendor = plan.vendor  # type: ignore[attr-defined]
    level = {"meter_type": "GAUGE", "data_type": "CONTINUOUS", "reporting_method": "TOTAL"}
    kinds = ({"aggregation": "SUM"}, {"aggregation": "MAX"}, {"aggregation": "TIME_WEIGHTED_SUM", **level})
    for position, kind in enumerate(kinds):
        meter = MeterFactory(vendor=vendor, **kind)
        component = MeteredComponentFactory(price_plan=plan, meter=meter, position=position)
        if position == 0:
            scheme = component.price_scheme
            scheme.scheme_type = "TIERED"
            scheme.save()
            PriceTier.objects.filter(scheme=scheme).update(cap=1000)
            PriceTier.objects.create(scheme=scheme, position=1, price=5)


# All over the month, and over customers and meters, however many there are.
_FILL = """
    WITH numbered AS (
        SELECT array_agg(customer.id ORDER BY customer.id) AS customers FROM customers_customer AS customer
    ), metered AS (SELECT array_agg(id ORDER BY id) AS meters FROM invoicing_meter)
    INSERT INTO invoicing_measurement (
        vendor_id, meter_id, customer_id, "time", value, stream, external_id, labels, reset_total, received_at
    )
    SELECT (SELECT min(id) FROM customers_vendor), meters[1 + n %% 3],
        customers[1 + (n / 3) %% cardinality(customers)],
        %(start)s + (%(end)s - %(start)s) * random(), 1 + n %% 97, '', n::text, '{}', false, %(start)s
    FROM generate_series(%(first)s::bigint, %(last)s - 1) AS n, numbered, metered
"""
_STEP = 100_000


def _rate_with(database_url: str, measurements: int, there: int) -> Figures:
    with psycopg.connect(database_url, autocommit=True) as connection:
        for first in range(there, measurements, _STEP):
            last = min(first + _STEP, measurements)
            connection.execute(_FILL, {"start": START, "end": END, "first": first, "last": last})
    began = time.perf_counter()
    _in_its_own_process("fold")
    folding = time.perf_counter() - began
    with psycopg.connect(database_url, autocommit=True) as connection:
        # As autovacuum does, which would come in the middle of it.
        connection.execute("VACUUM ANALYZE")
        [days] = connection.execute("SELECT count(*) FROM invoicing_usageday").fetchone() or (0,)
    seconds, megabytes = map(float, _in_its_own_process("rate").split())
    with psycopg.connect(database_url) as connection:
        [lines] = connection.execute(
            "SELECT count(*) FROM invoicing_lineitem WHERE kind = 'METERED_COMPONENT'"
        ).fetchone() or (0,)
    return Figures(measurements, days, folding, lines, seconds, int(megabytes))


def _in_its_own_process(work: str) -> str:
    command = [sys.executable, "-m", "tests.bench.rating", "--work", work]
    return subprocess.run(command, cwd=PROJECT, env=os.environ, check=True, capture_output=True, text=True).stdout


def _forget_invoices(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("TRUNCATE invoicing_invoice, invoicing_lineitem, customers_event CASCADE")
        connection.execute("UPDATE invoicing_billingcycle SET next_action = 'generate', next_action_at = \"end\"")


def _work(name: str) -> None:
    """What this process is started for again."""
    import django

    django.setup()
    from django.db.models import Q

    from invoicing.invoices.advance import CHUNK
    from invoicing.invoices.generation import generate_due
    from invoicing.models import BillingCycle
    from invoicing.usage.folding import fold_usage

    if name == "fold":
        fold_usage()
        return
    began = time.perf_counter()
    while generate_due(BillingCycle.objects.filter(Q(next_action_at__lte=END)), limit=CHUNK, real_now=END):
        pass
    seconds = time.perf_counter() - began
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    sys.stdout.write(f"{seconds} {int(peak.split()[1]) // 1024}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=20_000)
    parser.add_argument("--measurements", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--work", choices=("fold", "rate"), help=argparse.SUPPRESS)
    options = vars(parser.parse_args())
    if work := options.pop("work"):
        _work(work)
        return
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        database_url, _ = servers(Path(name), stack)
        few, many = measure(database_url, **options)
        sys.stdout.write(f"{few}\n{many}\nratio {many.seconds / few.seconds:.2f} (at most 1.3)\n")


if __name__ == "__main__":
    main()
