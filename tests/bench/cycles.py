"""Ended billing cycles with their measurements, and the processes that make their invoices.

Each customer's plan has three components: events that are added up in tiers, the largest event, and a level by the
hours it held. Measurements lie all over the month.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from billing_portal.machine.environment import PROJECT

START = datetime(2026, 3, 1, tzinfo=UTC)
END = datetime(2026, 4, 1, tzinfo=UTC)
STEP = 1_000_000


@dataclass(frozen=True)
class Run:
    """``seconds`` by the clock from the first to the last invoice, ``cpu`` of all workers together, and the most
    memory that any of them had."""

    seconds: float
    cpu: float
    megabytes: int


def make(cycles: int) -> None:
    """Django is set up, and the database empty."""
    from customers.models import Customer
    from invoicing.models import BillingCycle, Subscription
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


# Over customers and meters in the order of the table's key, at any moment of the month. Straight into the month, past
# the triggers, which would mark each day of each statement: here one mark for each meter and customer says the same.
_FILL = """
    WITH counted AS (
        SELECT (SELECT array_agg(id ORDER BY id) FROM customers_customer) AS customers,
            (SELECT array_agg(id ORDER BY id) FROM invoicing_meter) AS meters
    )
    INSERT INTO invoicing_measurement_2026_03 (
        vendor_id, meter_id, customer_id, "time", value, stream, external_id, labels, reset_total, received_at
    )
    SELECT (SELECT min(id) FROM customers_vendor), meters[1 + place / cardinality(customers)],
        customers[1 + place %% cardinality(customers)],
        %(start)s + (%(end)s - %(start)s) * random(), 1 + n %% 97, '', n::text, '{}', false, %(start)s
    FROM counted, generate_series(%(first)s::bigint, %(last)s - 1) AS n,
        LATERAL (SELECT (n - %(from)s) * 3 * cardinality(customers) / (%(to)s - %(from)s) AS place) AS pair
"""
_MARKS = """
    INSERT INTO invoicing_staleusage (meter_id, customer_id, first, last)
    SELECT meter.id, customer.id, %(start)s, %(end)s - interval '1 microsecond'
    FROM invoicing_meter AS meter, customers_customer AS customer
"""


def fill(database_url: str, already: int, measurements: int) -> float:
    """So many measurements in all, and their days marked as not folded. Seconds."""
    began = time.perf_counter()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        span = {"start": START, "end": END, "from": already, "to": measurements}
        for first in range(already, measurements, STEP):
            connection.execute(_FILL, {**span, "first": first, "last": min(first + STEP, measurements)})
        connection.execute(_MARKS, span)
    return time.perf_counter() - began


def fold(database_url: str) -> tuple[float, int]:
    """With the project's own folding: seconds, and how many days are kept."""
    began = time.perf_counter()
    _start("fold").communicate("go\n")
    seconds = time.perf_counter() - began
    with psycopg.connect(database_url, autocommit=True) as connection:
        if connection.execute("SELECT count(*) FROM invoicing_staleusage").fetchone() != (0,):
            raise RuntimeError("Not all days were folded.")
        # As autovacuum does, which would come in the middle of what is measured.
        connection.execute("VACUUM ANALYZE")
        [days] = connection.execute("SELECT count(*) FROM invoicing_usageday").fetchone() or (0,)
    return seconds, days


def forget_invoices(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE invoicing_invoice, invoicing_lineitem, customers_event CASCADE")
        connection.execute("UPDATE invoicing_billingcycle SET next_action = 'generate', next_action_at = \"end\"")
        connection.execute("VACUUM ANALYZE invoicing_billingcycle")
        connection.execute("CHECKPOINT")


def generate(workers: int) -> Run:
    """Everything that is due, by so many processes at once, each doing what beat's task does."""
    started = [_start("generate") for _ in range(workers)]
    for process in started:
        _line(process)
    began = time.perf_counter()
    for process in started:
        _say(process, "go")
    told = [_line(process).split() for process in started]
    seconds = time.perf_counter() - began
    for process in started:
        process.wait()
    return Run(seconds, sum(float(cpu) for cpu, _ in told), max(int(megabytes) for _, megabytes in told))


def _start(work: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.bench.cycles", work]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(command, cwd=PROJECT, env=os.environ, text=True, **pipes)  # type: ignore[call-overload,no-any-return]


def _line(process: subprocess.Popen[str]) -> str:
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise RuntimeError("A worker ended too early; what it wrote says why.")
    return line


def _say(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


def _generate() -> None:
    from django.db.models import Q

    from invoicing.invoices.advance import CHUNK
    from invoicing.invoices.generation import generate_due
    from invoicing.models import BillingCycle

    began = time.process_time()
    while generate_due(BillingCycle.objects.filter(Q(next_action_at__lte=END)), limit=CHUNK, real_now=END):
        pass
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    sys.stdout.write(f"{time.process_time() - began} {int(peak.split()[1]) // 1024}\n")


def _work(name: str) -> None:
    """What this process is started for again."""
    import django

    django.setup()
    from billing_portal.collecting import collect_seldom
    from invoicing.usage.folding import fold_usage

    collect_seldom()  # As a worker does (``billing_portal/celery.py``).

    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    if name == "fold":
        fold_usage()
    else:
        _generate()


if __name__ == "__main__":
    _work(sys.argv[1])
