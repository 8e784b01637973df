"""How much of Stripe's limit is used? Invoices are issued by real worker processes against a sandbox that refuses
what comes faster than its limit.

By hand: ``uv run python -m tests.bench.pace --invoices 1000``. The test suite runs a smaller one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from billing_portal.machine.environment import PROJECT
from billing_portal.machine.ports import free_port
from tests.bench.installation import servers
from tests.bench.result import Line, choose

PATIENCE = 600
PROCESSES = 4


@dataclass(frozen=True)
class Figures:
    invoices: int
    requests: int
    refused: int
    seconds: float
    limit: float

    @property
    def used(self) -> float:
        """The share of the limit."""
        return self.requests / (self.seconds * self.limit)

    def __str__(self) -> str:
        pace = f"{self.requests / self.seconds:.1f} a second, {self.used:.1%} of {self.limit:g}"
        made = f"{self.invoices} invoices, {self.requests} requests in {self.seconds:.1f} s"
        return f"{made}: {pace}; {self.refused} refused"

    def table(self) -> list[Line]:
        pace, limit = f"{self.requests / self.seconds:.1f} a second", f"{self.limit:g} a second"
        return [
            Line("share of Stripe's limit that is used", pace, self.used, 0.9, limit, at_least=True),
            Line("requests refused", f"{self.refused} of {self.requests}", self.refused, 0),
        ]


def measure(database_url: str, broker_url: str, *, invoices: int, workers: int, limit: float, folder: Path) -> Figures:
    """Django is set up here, on that database, which is migrated and has no installation of the sandbox yet."""
    from payments.sandbox import seed
    from payments.sandbox.models import IdempotentAnswer

    port = free_port()
    made = seed.ensure_installation(webhook_url="http://127.0.0.1:9/")
    env = _environment(database_url, broker_url, port, made)
    with ExitStack() as stack:
        stack.enter_context(_running(env, folder / "sandbox.log", "manage.py", "sandbox", "--port", str(port)))
        control = f"http://127.0.0.1:{port}/_control"
        _wait_for(lambda: _answers(f"http://127.0.0.1:{port}/healthz"))
        requests.post(f"{control}/webhooks", json={"kind": "drop"}, timeout=10).raise_for_status()
        requests.post(f"{control}/rate_limits", json={"per_second": limit}, timeout=10).raise_for_status()
        for number in range(workers):
            beat = ("--beat", "--schedule", str(folder / "beat")) if number == 0 else ()
            stack.enter_context(_running(env, folder / f"worker-{number}.log", *_worker(number), *beat))
        _wait_for(lambda: all("ready." in (folder / f"worker-{n}.log").read_text() for n in range(workers)))
        _issue(made.account, invoices)
        [counts] = requests.get(f"{control}/rate_limits", timeout=10).json()["counts"]
    moments = IdempotentAnswer.objects.order_by("stored_at").values_list("stored_at", flat=True)
    seconds = (moments[len(moments) - 1] - moments[0]).total_seconds()
    return Figures(invoices, counts["served"], counts["refused"], seconds, limit)


def _environment(database_url: str, broker_url: str, port: int, made: Any) -> dict[str, str]:
    base = f"http://127.0.0.1:{port}"
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "billing_portal.settings.development",
        "DATABASE_URL": database_url,
        "REDIS_URL": broker_url,
        "SANDBOX": "true",
        "STRIPE_API_BASE": base,
        "STRIPE_CONNECT_BASE": base,
        "STRIPE_TEST_SECRET_KEY": made.secret_key,
        "STRIPE_WEBHOOK_SECRETS": made.webhook_secret,
        "TICK_SECONDS": "1",
        "PYTHONWARNINGS": "ignore",
        "PYTHONUNBUFFERED": "1",
    }


def _worker(number: int) -> tuple[str, ...]:
    how = ("--concurrency", str(PROCESSES), "--without-gossip", "--without-mingle", "--loglevel", "INFO")
    return ("-m", "celery", "--app", "billing_portal", "worker", "--hostname", f"w{number}@localhost", *how)


@contextmanager
def _running(env: dict[str, str], log: Path, *arguments: str) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=PROJECT, env=env, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _issue(account: str, count: int) -> None:
    """All of them fall due at once; wait until the workers have issued them."""
    from django.utils import timezone

    from invoicing.models import Invoice

    vendor = _vendor(account)
    make_invoices(vendor, make_customers(vendor, account, min(count, 100)), count)
    mine = Invoice.objects.of(vendor)
    mine.update(next_action_at=timezone.now())
    _wait_for(lambda: mine.filter(status="INVOICE_ISSUED").count() == count)


def _vendor(account: str) -> Any:
    from django.utils import timezone

    from customers.models import BillingSettings
    from payments.stripe import connect
    from tests.factories import VendorFactory

    vendor = VendorFactory(name="northwind", is_test=False)
    now = timezone.now()
    delivery = {"should_send_invoice_to_customers": True, "invoice_via_octane": False, "charges_enabled": True}
    BillingSettings.objects.update_or_create(vendor=vendor, defaults={"updated_at": now, **delivery})
    connect.attach(vendor, account, livemode=False, real_now=now)
    return vendor


def make_customers(vendor: Any, account: str, count: int) -> list[Any]:
    from customers.models import Customer
    from payments.models import StripeConnection
    from tests.factories import CustomerFactory
    from tests.scenarios.any_order.people import counterparts

    made = Customer.objects.bulk_create(CustomerFactory.build(vendor=vendor) for _ in range(count))
    counterparts(StripeConnection.objects.get(account_id=account), [(customer, "pm_card_visa") for customer in made])
    return made


def make_invoices(vendor: Any, customers: list[Any], count: int) -> None:
    from invoicing.models import Invoice, LineItem
    from tests.factories import InvoiceFactory, LineItemFactory

    waiting = {"number": "", "paid_at": None, "issued_at": None, "next_action_at": None}
    drawn = (InvoiceFactory.build(customer=customers[n % len(customers)], **waiting) for n in range(count))
    made = Invoice.objects.bulk_create(drawn)
    LineItem.objects.bulk_create(LineItemFactory.build(invoice=invoice, position=0) for invoice in made)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def _wait_for(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_true():
        if time.monotonic() > deadline:
            raise TimeoutError("It takes too long; the logs of the processes say why.")
        time.sleep(0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--invoices", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limit", type=float, default=25)
    options, finish = choose(parser, {"invoices": 200})
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        database_url, broker_url = servers(folder, stack)
        figures = measure(database_url, broker_url, folder=folder, **vars(options))
        sys.stdout.write(f"{figures}\n")
    finish(figures.table())


if __name__ == "__main__":
    main()
