"""Do 50,000 webhooks of Stripe's, all at once, get lost or bring the portal to a standstill?

An installation as ``up`` runs it, with web server, worker, beat and the Stripe sandbox. Ten thousand invoices are paid
at Stripe; what it tells of them, five events each, is posted in any order by several clients that keep their
connections, as fast as they are answered. Meanwhile somebody opens a page of the portal once a second, and a program
asks the API.

What has to hold: every webhook answered 2xx; every event there, and dealt with; every invoice paid, by one payment; and
of pages and answers of the API, 95 in 100 within two seconds, from the first webhook until the last was processed. By
hand: ``uv run python -m tests.bench.burst``.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import re
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from billing_portal.torture.stage import Stage
from tests.bench.result import Line, choose
from tests.bench.webhooks_in import signed

if TYPE_CHECKING:
    from tests.bench.paid_at_once import Paid

EACH = 5
ENVIRONMENT = {"API_REQUESTS_PER_MINUTE": "0", "STRIPE_TEST_CALLS_PER_SECOND": "0"}
MOST_SECONDS = 2.0
# Nothing has moved for so long: it is not going to.
PATIENCE = 120.0
PAGE, API = "/invoices/", "/api/v1/invoices?limit=20"


@dataclass
class Asked:
    """Seconds until each answer; one that is no 200 counts as never."""

    page: list[float] = field(default_factory=list)
    api: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Figures:
    events: int
    taken_in: float
    settled: float
    statuses: Counter[int]
    states: Counter[str]
    invoices: int
    paid_once: int
    before: Asked
    during: Asked

    @property
    def answered(self) -> int:
        return sum(count for status, count in self.statuses.items() if 200 <= status < 300)

    @property
    def dealt_with(self) -> int:
        return self.states["processed"] + self.states["ignored"]

    def __str__(self) -> str:
        told = ", ".join(f"{count:,} {state}" for state, count in sorted(self.states.items()))
        pace = f"{self.events / self.taken_in:,.0f} a second"
        return (
            f"{self.events:,} webhooks of {self.invoices:,} invoices\n"
            f"taken in: {self.taken_in:.1f} s, {pace}; answered 2xx: {self.answered:,}\n"
            f"the last was processed after {self.settled:.1f} s; stored: {told}\n"
            f"invoices paid, by one payment: {self.paid_once:,}\n"
            f"a page of the portal: {_said(self.before.page)} before, {_said(self.during.page)} meanwhile\n"
            f"the API:              {_said(self.before.api)} before, {_said(self.during.api)} meanwhile"
        )

    def table(self) -> list[Line]:
        unanswered, lost = self.events - self.answered, self.events - self.dealt_with
        wrong = self.invoices - self.paid_once
        return [
            Line("webhooks not answered 2xx", f"{unanswered} of {self.events:,}", unanswered, 0),
            Line("events lost or not dealt with", f"{lost} of {self.events:,}", lost, 0),
            Line("invoices not paid by one payment", f"{wrong} of {self.invoices:,}", wrong, 0),
            _waited("a page meanwhile, seconds (95th of 100)", self.before.page, self.during.page),
            _waited("an answer of the API, the same", self.before.api, self.during.api),
            Line("taken in, a second", f"{self.taken_in:.1f} s", self.events / self.taken_in),
            Line("seconds until the last was processed", f"{self.settled:.1f} s", self.settled),
        ]


def _waited(what: str, before: Sequence[float], during: Sequence[float]) -> Line:
    return Line(what, f"{late(during):.2f} s", late(during), MOST_SECONDS, f"{late(before):.2f} s")


def _said(seconds: Sequence[float]) -> str:
    middle, last = (f"{1000 * one:.0f} ms" for one in (statistics.median(seconds), late(seconds)))
    return f"{middle} (95th of 100: {last})"


def late(seconds: Sequence[float]) -> float:
    """So long at most for 95 in 100."""
    return sorted(seconds)[max(0, -(-95 * len(seconds) // 100) - 1)]


def measure(*, events: int, clients: int, calm: float, folder: Path) -> Figures:
    stage = Stage(folder / "data", None, folder / "up.log")
    with stage.running(ENVIRONMENT):
        ready = stage.ready
        paid = _prepare(stage, ready, events // EACH)
        before, during = Asked(), Asked()
        with _asking(ready, before):
            time.sleep(calm)
        bodies = _bodies(paid, events // EACH)
        with _asking(ready, during):
            began = time.monotonic()
            statuses = _post_all(ready["stripe"], bodies, clients)
            taken_in = time.monotonic() - began
            states = _wait_until_processed(len(bodies))
            settled = time.monotonic() - began
        return Figures(
            len(bodies), taken_in, settled, statuses, states, events // EACH, _paid_once(paid), before, during
        )


def _prepare(stage: Stage, ready: Mapping[str, Any], invoices: int) -> Paid:
    """Django is set up here, as in the installation's own processes."""
    os.environ.update(stage.environment())
    import django

    django.setup()
    from tests.bench import paid_at_once

    return paid_at_once.make(ready["vendor"], ready["stripe"]["account"], invoices)


def _bodies(paid: Paid, invoices: int) -> list[bytes]:
    """In any order, the same at each run."""
    from tests.bench.paid_at_once import events

    bodies = [json.dumps(event).encode() for event in events(paid, invoices)]
    random.Random(7).shuffle(bodies)  # noqa: S311
    return bodies


def _post_all(stripe: Mapping[str, str], bodies: Sequence[bytes], clients: int) -> Counter[int]:
    shares = [bodies[n::clients] for n in range(clients)]
    with ThreadPoolExecutor(clients) as pool:
        found = pool.map(lambda share: _post(stripe["webhook_url"], stripe["webhook_secret"], share), shares)
        return sum(found, Counter())


def _post(url: str, secret: str, bodies: Sequence[bytes]) -> Counter[int]:
    """One client, which signs as it posts. Where a connection breaks the answer counts as status 0."""
    where, statuses = urlsplit(url), Counter[int]()
    connection = http.client.HTTPConnection(where.netloc, timeout=60)
    for body in bodies:
        try:
            connection.request("POST", where.path, body, signed(body, secret))
            answer = connection.getresponse()
            answer.read()
            statuses[answer.status] += 1
        except (OSError, http.client.HTTPException):
            statuses[0] += 1
            connection.close()
    return statuses


def _wait_until_processed(events: int) -> Counter[str]:
    """The events by their state, once none waits any more, or nothing has moved for long."""
    from django.db.models import Count

    from payments.models import StripeEvent

    mine = StripeEvent.objects.filter(event_id__startswith="evt_burst_")
    waiting, moved = -1, time.monotonic()
    while time.monotonic() - moved < PATIENCE:
        left = StripeEvent.objects.filter(state="pending").count()
        if left != waiting:
            waiting, moved = left, time.monotonic()
        if not left:
            break
        time.sleep(0.5)
    return Counter(dict(mine.order_by().values_list("state").annotate(count=Count("pk"))))


def _paid_once(paid: Paid) -> int:
    from django.db.models import Count

    from invoicing.models import Invoice

    mine = Invoice.objects.filter(status="INVOICE_PAID", external_invoice_id__startswith=f"{paid.invoice}_")
    return mine.annotate(times=Count("payments")).filter(times=1).count()


@contextmanager
def _asking(ready: Mapping[str, Any], into: Asked) -> Iterator[None]:
    """Once a second a page and the API, each by somebody of its own."""
    over = threading.Event()
    page, api = _signed_in(ready), requests.Session()
    api.headers["Authorization"] = f"Bearer {ready['api_key']}"
    asks = ((page, PAGE, into.page), (api, API, into.api))
    people = [
        threading.Thread(target=_ask, args=(session, ready["url"] + path, found, over.wait))
        for session, path, found in asks
    ]
    for one in people:
        one.start()
    try:
        yield
    finally:
        over.set()
        for one in people:
            one.join()


def _ask(session: requests.Session, url: str, found: list[float], is_over: Callable[[float], bool]) -> None:
    wait = 0.0
    while not is_over(wait):
        began = time.monotonic()
        try:
            is_good = session.get(url, timeout=60, allow_redirects=False).status_code == 200
        except requests.RequestException:
            is_good = False
        taken = time.monotonic() - began
        found.append(taken if is_good else float("inf"))
        wait = max(0.0, 1.0 - taken)


def _signed_in(ready: Mapping[str, Any]) -> requests.Session:
    session, address = requests.Session(), f"{ready['url']}/sign-in/"
    form = session.get(address, timeout=60)
    [token] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)
    credentials = {"username": ready["operator"], "password": ready["password"], "csrfmiddlewaretoken": token}
    session.post(address, credentials, timeout=60).raise_for_status()
    return session


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=50_000, help=f"{EACH} of each invoice")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--calm", type=float, default=20, help="seconds of asking before it begins")
    options, finish = choose(parser, {"events": 2_000, "calm": 10})
    with tempfile.TemporaryDirectory() as name:
        figures = measure(**vars(options), folder=Path(name))
    sys.stdout.write(f"{figures}\n")
    finish(figures.table())


if __name__ == "__main__":
    main()
