"""What does taking in a webhook of Stripe's cost? Ours over HTTP, against a bare Django view that verifies and inserts.

Both behind the web server as ``up`` runs it, on the same database, one after the other with the same events in other
words; a bad signature has to be cheaper than a good one and to leave nothing. By hand:
``uv run python -m tests.bench.webhooks_in``.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import http.client
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.bench.installation import servers, web
from tests.bench.result import Line, choose

SECRET = "whsec_bench"  # noqa: S105
ACCOUNT = "acct_bench"


@dataclass(frozen=True)
class Figures:
    """Seconds for so many."""

    events: int
    bare: float
    ours: float
    again: float
    bad: float
    left_by_bad: int

    @property
    def ratio(self) -> float:
        return self.ours / self.bare

    def __str__(self) -> str:
        def pace(seconds: float) -> str:
            return f"{1000 * seconds / self.events:.2f} ms a webhook, {self.events / seconds:,.0f} a second"

        return (
            f"{self.events:,} webhooks\n"
            f"bare view:      {pace(self.bare)}\n"
            f"ours:           {pace(self.ours)}\n"
            f"delivered again: {pace(self.again)}\n"
            f"bad signature:  {pace(self.bad)}, {self.left_by_bad} stored\n"
            f"ratio {self.ratio:.2f} (at most 2); bad against good {self.bad / self.ours:.2f} (below 1)"
        )

    def table(self) -> list[Line]:
        bare, ours, bad = (f"{1000 * seconds / self.events:.2f} ms" for seconds in (self.bare, self.ours, self.bad))
        return [
            Line("a webhook, beside a bare view", ours, self.ratio, 2, bare),
            Line("a bad signature, beside a good one", bad, self.bad / self.ours, 1, ours),
            Line("stored of those with a bad signature", f"{self.left_by_bad}", self.left_by_bad, 0),
        ]


def measure(database_url: str, broker_url: str, *, events: int, clients: int, rounds: int, folder: Path) -> Figures:
    """Django is set up here, on that database, which is migrated."""
    from payments.models import StripeEvent

    _connected_vendor()
    os.environ["STRIPE_WEBHOOK_SECRETS"] = SECRET
    ours, again, bad, bare = [], [], [], []
    with ExitStack() as stack:
        url, _ = stack.enter_context(web(database_url, broker_url, folder / "web.log"))
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.bench.bare_webhooks"
        plain, _ = stack.enter_context(web(database_url, broker_url, folder / "bare.log"))
        for number in range(rounds):
            bare.append(_send(plain, _bodies("bare", number, events), clients, 200))
            ours.append(_send(url, _bodies("ours", number, events), clients, 200))
            again.append(_send(url, _bodies("ours", number, events), clients, 200))
            before = StripeEvent.objects.count()
            bad.append(_send(url, _bodies("bad", number, events), clients, 400, secret="whsec_other"))
            left = StripeEvent.objects.count() - before
    if StripeEvent.objects.count() != 2 * rounds * events:
        raise RuntimeError("Not every event was stored once.")
    middle = statistics.median
    return Figures(events, middle(bare), middle(ours), middle(again), middle(bad), left)


def _connected_vendor() -> None:
    from django.utils import timezone

    from payments.stripe import connect
    from tests.factories import VendorFactory

    connect.attach(VendorFactory(), ACCOUNT, livemode=False, real_now=timezone.now())


def _bodies(kind: str, number: int, count: int) -> Iterator[bytes]:
    """About as large as an invoice's, which is what comes most."""
    filler = {f"field_{n}": "x" * 40 for n in range(60)}
    for n in range(count):
        subject = {"id": f"in_{kind}_{number}_{n}", "object": "invoice", **filler}
        event: dict[str, Any] = {"id": f"evt_{kind}_{number}_{n}", "object": "event", "type": "invoice.paid"}
        event |= {"livemode": False, "account": ACCOUNT, "api_version": _version(), "data": {"object": subject}}
        yield json.dumps(event).encode()


def _version() -> str:
    from payments.stripe.client import API_VERSION

    return API_VERSION


def signed(body: bytes, secret: str) -> dict[str, str]:
    moment = int(time.time())
    signature = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", "Stripe-Signature": f"t={moment},v1={signature}"}


def _send(url: str, bodies: Iterator[bytes], clients: int, expected: int, *, secret: str = SECRET) -> float:
    requests = [(body, signed(body, secret)) for body in bodies]
    shares = [requests[n::clients] for n in range(clients)]
    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(lambda share: _send_share(url, share, expected), shares))
    return time.perf_counter() - began


def _send_share(url: str, share: Sequence[tuple[bytes, dict[str, str]]], expected: int) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    for body, headers in share:
        connection.request("POST", "/webhooks/stripe/", body, headers)
        answer = connection.getresponse()
        told = answer.read()
        if answer.status != expected:
            raise RuntimeError(f"{answer.status}: {told[:500]!r}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=2_000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    options, finish = choose(parser, {"events": 500})
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        figures = measure(*servers(folder, stack), folder=folder, **vars(options))
        sys.stdout.write(f"{figures}\n")
    finish(figures.table())


if __name__ == "__main__":
    main()
