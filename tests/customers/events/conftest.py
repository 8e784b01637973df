"""An endpoint of a vendor, a receiver that answers as it is told to, and time as an argument."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import takewhile
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
from requests import Session

from customers.actors import SCHEDULE
from customers.events.deliver import claim_endpoints, deliver_next, let_go
from customers.events.dispatch import dispatch
from customers.events.models import EventKind, SubjectKind, WebhookDelivery, WebhookEndpoint
from customers.events.post import session
from customers.events.record import Fact, record
from tests.factories import VendorFactory

T0 = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class Receiver:
    """Answers with ``status``, or as ``script`` says, one entry a request: status, headers, body."""

    url: str = ""
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)
    delay: float = 0

    @property
    def subjects(self) -> list[int]:
        return [json.loads(body)["data"]["n"] for _, body in self.received]

    def status_for(self, body: bytes) -> int:
        return 500 if json.loads(body)["data"].get("n") in self.refused else self.status


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.received.append((dict(self.headers.items()), body))
            time.sleep(receiver.delay)
            with suppress(BrokenPipeError, ConnectionResetError):
                self.answer(body)

        def answer(self, body: bytes) -> None:
            self.send_response(receiver.status_for(body))
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(receiver.body)))
            self.end_headers()
            self.wfile.write(receiver.body)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield receiver
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class Post:
    """The vendor's post room. ``work`` does what the tasks do, at the time it is given."""

    vendor: Any
    endpoint: WebhookEndpoint

    def tell(self, n: int, kind: EventKind = EventKind.CUSTOMER_UPDATED, subject: int = 1, **payload: Any) -> Any:
        fact = Fact(kind, SubjectKind.CUSTOMER, subject, payload={"n": n, **payload})
        return record(self.vendor, fact, actor=SCHEDULE, now=T0, real_now=T0)

    def work(self, at: datetime = T0, limit: int = 50) -> int:
        """Returns how many requests were made."""
        dispatch(real_now=at)
        token, ids = claim_endpoints(real_now=at)
        with session() as http:
            tried = sum(self._one_by_one(http, pk, token, at, limit) for pk in ids)
        for pk in ids:
            let_go(pk, token)
        return tried

    @staticmethod
    def _one_by_one(http: Session, endpoint_id: int, token: UUID, at: datetime, limit: int) -> int:
        """Deliver to an endpoint until it has nothing left for now."""
        tries = (deliver_next(http, endpoint_id, token, real_now=at) for _ in range(limit))
        return sum(takewhile(bool, tries))

    def deliveries(self) -> list[WebhookDelivery]:
        self.endpoint.refresh_from_db()
        return list(WebhookDelivery.objects.of(self.vendor).order_by("pk"))


@pytest.fixture
def post_room(db: None, receiver: Receiver) -> Post:
    vendor = VendorFactory(email="ops@northwind.example", display_name="Northwind")
    endpoint = WebhookEndpoint.objects.create(vendor=vendor, url=receiver.url, created_at=T0)
    return Post(vendor, endpoint)
