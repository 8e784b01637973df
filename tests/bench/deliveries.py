"""What does a delivery of an outgoing webhook cost? From the fact to the written down answer, against a bare loop of
signed posts.

One process, one endpoint, a receiver in a process of its own that answers at once; both ways post the same bodies with
the same signatures over a kept connection. By hand: ``uv run python -m tests.bench.deliveries``.
"""

from __future__ import annotations

import argparse
import os
import statistics
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

from billing_portal.machine.ports import free_port
from tests.bench.installation import servers, wait_for
from tests.bench.result import Line, choose

AT_MOST = 3.0

_RECEIVER = """
import socketserver, sys
class Receiver(socketserver.StreamRequestHandler):
    def setup(self):
        super().setup()
        self.connection.setsockopt(6, 1, 1)
    def handle(self):
        while line := self.rfile.readline():
            length = 0
            while (line := self.rfile.readline().strip()):
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            self.rfile.read(length)
            self.wfile.write(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
Server(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
"""


@dataclass(frozen=True)
class Figures:
    """Seconds for so many."""

    events: int
    bare: float
    delivered: float
    written: float

    @property
    def ratio(self) -> float:
        return self.delivered / self.bare

    def __str__(self) -> str:
        def pace(seconds: float) -> str:
            return f"{1000 * seconds / self.events:.2f} ms each, {self.events / seconds:,.0f} a second"

        return (
            f"{self.events:,} events for one endpoint\n"
            f"bare signed posts: {pace(self.bare)}\n"
            f"dispatched and delivered: {pace(self.delivered)}\n"
            f"(writing the events, in one transaction: {pace(self.written)})\n"
            f"ratio {self.ratio:.2f} (at most {AT_MOST:g})"
        )

    def table(self) -> list[Line]:
        floor, measured = (f"{1000 * seconds / self.events:.2f} ms" for seconds in (self.bare, self.delivered))
        return [Line("a delivery, beside a bare signed post", measured, self.ratio, AT_MOST, floor)]


def measure(*, events: int, rounds: int) -> Figures:
    """Django is set up here, on a database that is migrated."""
    with _receiver() as url:
        vendor = _vendor(url)
        bare, delivered, written = [], [], []
        for _ in range(rounds):
            written.append(_timed(lambda: _write(vendor, events)))
            bare.append(_timed(lambda: _post_all(url, events)))
            delivered.append(_timed(_deliver_all))
    _check(events * rounds)
    return Figures(events, statistics.median(bare), statistics.median(delivered), statistics.median(written))


@contextmanager
def _receiver() -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", _RECEIVER, str(port)])
    url = f"http://127.0.0.1:{port}/hook"
    try:
        wait_for(lambda: _answers(url))
        yield url
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return requests.post(url, data=b"{}", timeout=5).ok
    except requests.RequestException:
        return False


def _vendor(url: str) -> Any:
    from django.utils import timezone

    from customers.models import WebhookEndpoint
    from tests.factories import VendorFactory

    vendor = VendorFactory()
    WebhookEndpoint.objects.create(vendor=vendor, url=url, created_at=timezone.now())
    return vendor


def _write(vendor: Any, count: int) -> None:
    from unittest import mock

    from django.utils import timezone

    from customers.actors import SCHEDULE
    from customers.events.models import Event, EventKind, SubjectKind
    from customers.events.record import Fact, build_event

    now = timezone.now()
    facts = (
        Fact(EventKind.INVOICE_PAID, SubjectKind.INVOICE, n, payload={"customer_name": "acme", "invoice_id": str(n)})
        for n in range(count)
    )
    # There is no worker to be told.
    with mock.patch("customers.events.models.nudge_after_commit"):
        Event.objects.bulk_create(build_event(vendor, fact, actor=SCHEDULE, now=now, real_now=now) for fact in facts)


def _post_all(url: str, count: int) -> None:
    """What anybody would write: a session, a signature, a post."""
    from django.utils import timezone

    from customers.events.models import Event, WebhookEndpoint
    from customers.events.post import body_of
    from customers.events.signature import signature_headers

    endpoint = WebhookEndpoint.objects.get()
    bodies = [(event.uuid.hex, body_of(event)) for event in Event.objects.order_by("-pk")[:count]]
    with requests.Session() as session:
        session.trust_env = False
        for key, body in bodies:
            now = timezone.now()
            headers = {"Content-Type": "application/json"}
            headers |= signature_headers(endpoint.secrets(now), key, body, real_now=now)
            session.post(url, data=body, headers=headers, timeout=10).raise_for_status()


def _deliver_all() -> None:
    """What the tasks do, without a broker between them."""
    from django.utils import timezone

    from customers.events.deliver import TOGETHER, claim_endpoints, deliver_next, let_go
    from customers.events.dispatch import dispatch
    from customers.events.post import session

    while dispatch(real_now=timezone.now()):
        pass
    token, ids = claim_endpoints(real_now=timezone.now())
    with session() as http:
        for pk in ids:
            while deliver_next(http, pk, token, real_now=timezone.now(), most=TOGETHER):
                pass
            let_go(pk, token)


def _check(count: int) -> None:
    from customers.models import WebhookDelivery

    if WebhookDelivery.objects.filter(state="delivered", attempts=1).count() != count:
        raise RuntimeError("Not every event was delivered at its first try.")


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    options, finish = choose(parser, {"events": 300})
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        os.environ["WEBHOOKS_ALLOW_LOOPBACK"] = "true"
        servers(Path(name), stack)
        figures = measure(**vars(options))
        sys.stdout.write(f"{figures}\n")
    finish(figures.table())


if __name__ == "__main__":
    main()
