"""A world connected to Stripe, with a listener where the vendor's own systems would be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from django.utils import timezone

from customers.models import WebhookEndpoint
from payments.stripe import connect
from tests.sandbox_server import StripeSandbox
from tests.world import World, utc


@dataclass
class Listener:
    """What the vendor's endpoint was told, in order of arrival."""

    url: str
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.received]

    def kinds(self, start: str = "") -> list[str]:
        return [event["event_type"] for event in self.events if event["event_type"].startswith(start)]


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            listener.received.append((dict(self.headers.items()), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield listener
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def world(stripe_sandbox: StripeSandbox, live_server: Any, settings: Any, listener: Listener) -> World:
    settings.STRIPE_TEST_SECRET_KEY = stripe_sandbox.secret_key
    settings.STRIPE_WEBHOOK_SECRETS = [stripe_sandbox.webhook_secret]
    stripe_sandbox.send_webhooks_to(f"{live_server.url}/webhooks/stripe/")
    world = World(utc(2026, 3, 1), name="northwind", display_name="Northwind")
    connect.attach(world.vendor, stripe_sandbox.account, livemode=False, real_now=timezone.now())
    WebhookEndpoint.objects.create(vendor=world.vendor, url=listener.url, created_at=timezone.now())
    return world
