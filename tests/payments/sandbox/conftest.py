"""What the sandbox's tests share: a client, customers, invoices, and a place for webhooks to arrive."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest

from payments.sandbox import clock
from tests.sandbox_server import StripeSandbox


@pytest.fixture
def client(stripe_sandbox: StripeSandbox) -> Any:
    return stripe_sandbox.client()


@pytest.fixture
def customer(client: Any) -> Callable[..., Any]:
    """A customer; with ``card`` that test method is attached and is the default."""

    def make(card: str | None = None, **fields: Any) -> Any:
        made = client.v1.customers.create({"email": "billing@example.com", **fields})
        if card is None:
            return made
        method = client.v1.payment_methods.attach(card, {"customer": made.id})
        settings = {"default_payment_method": method.id}
        return client.v1.customers.update(made.id, {"invoice_settings": settings})

    return make


@pytest.fixture
def draft(client: Any) -> Callable[..., Any]:
    """A draft of one line over ``amount``."""

    def make(customer: Any, amount: int = 2500, **fields: Any) -> Any:
        made = client.v1.invoices.create({"customer": customer.id, "currency": "usd", **fields})
        return client.v1.invoices.add_lines(made.id, {"lines": [{"amount": amount, "description": "Usage"}]})

    return make


@pytest.fixture
def time_at(stripe_sandbox: StripeSandbox) -> Callable[[datetime], None]:
    """Put the account's clock somewhere, let it stand there, and settle."""

    def move(moment: datetime) -> None:
        clock.set_clock(stripe_sandbox.account, False, frozen_at=moment, offset=timedelta(0))
        stripe_sandbox.settle()

    return move


@pytest.fixture
def event_types(client: Any) -> Callable[[], list[str]]:
    """The types of all events so far, oldest first."""

    def types() -> list[str]:
        return [event.type for event in client.v1.events.list({"limit": 100}).data][::-1]

    return types


@dataclass
class Received:
    body: bytes
    signature: str


@dataclass
class Inbox:
    """An HTTP endpoint that keeps what it gets and answers ``status``; it can be told to wait."""

    url: str = ""
    status: int = 200
    received: list[Received] = field(default_factory=list)
    open: Event = field(default_factory=Event)
    arrived: Event = field(default_factory=Event)


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    box = Inbox()
    box.open.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            box.received.append(Received(body, self.headers["Stripe-Signature"]))
            box.arrived.set()
            box.open.wait(10)
            self.send_response(box.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    box.url = f"http://127.0.0.1:{server.server_port}/hook"
    yield box
    server.shutdown()
    server.server_close()
    thread.join()
