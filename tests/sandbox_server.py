"""The Stripe sandbox over real HTTP, inside the test process, so that it shares the test database.

``stripe_sandbox`` starts it on a free port. Whatever it is asked and answers is recorded, and at the
end of the test every exchange must satisfy the official SDK's own types.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from socket import SHUT_RDWR, socket
from threading import Thread, current_thread
from typing import Any
from urllib.parse import unquote

import pytest
import stripe
from django.db import connections
from django.test import override_settings
from django.utils import timezone

from payments.sandbox import clock, deliveries, limits, pump, seed, wsgi
from payments.sandbox.models import Account, ApiKey
from payments.sandbox.server import GARBAGE
from payments.stripe.handlers import SUBSCRIBED
from tests.contract.traffic import Traffic

# For tests that touch the sandbox's own tables and no others: emptying those few is much faster.
SANDBOX_ONLY = pytest.mark.django_db(transaction=True, available_apps=["payments.sandbox"])
NOWHERE = "http://127.0.0.1:9/webhooks"


@dataclass(frozen=True)
class StripeSandbox:
    """Where the sandbox is, and the credentials of its one platform and test account."""

    api_base: str
    secret_key: str
    account: str
    webhook_secret: str
    client_id: str
    traffic: Traffic

    def client(self, **options: Any) -> stripe.StripeClient:
        """The unmodified SDK, acting for the test account."""
        return stripe.StripeClient(
            self.secret_key,
            stripe_account=options.pop("stripe_account", self.account),
            base_addresses={"api": self.api_base, "connect": self.api_base},
            client_id=self.client_id,
            **options,
        )

    def send_webhooks_to(self, url: str) -> None:
        seed.ensure_installation(webhook_url=url, events=SUBSCRIBED)

    def open_live_mode(self) -> tuple[str, str]:
        """A secret key and a client id of live mode, for the tests that need both modes."""
        key = ApiKey.objects.get(secret=self.secret_key)
        Account.objects.filter(pk=key.account_id).update(live_client_id="ca_live_tests")
        live, _ = ApiKey.objects.get_or_create(secret="sk_live_tests", account_id=key.account_id, livemode=True)
        return live.secret, "ca_live_tests"

    def settle(self, real_now: datetime | None = None) -> bool:
        """Do what is due and try every new webhook once; true while something is under way."""
        return clock.settle(self.account, False, real_now or timezone.now())

    def run_due(self, real_now: datetime | None = None) -> int:
        """One round of the pump, which no thread drives in tests."""
        return pump.run_due(real_now or timezone.now())


class Handler(BaseHTTPRequestHandler):
    """Serves one connection, keeps it open, and notes down each exchange."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Server"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        head: list[Any] = []
        content = b"".join(wsgi.application(self._environ(body), lambda *given: head.extend(given)))
        status, headers = head
        self._record(body, status, content)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        try:
            self.wfile.write(f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + content)
        except OSError:  # a fault hung up on the client
            self.close_connection = True

    do_GET = do_POST = do_DELETE = answer

    def _environ(self, body: bytes) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in self.headers.items()}
        return {
            **headers,
            "REQUEST_METHOD": self.command,
            "PATH_INFO": unquote(path),
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(self.server.server_port),
            "wsgi.input": BytesIO(body),
            "wsgi.url_scheme": "http",
            "sandbox.socket": self.connection,
        }

    def _record(self, body: bytes, status: str, content: bytes) -> None:
        if not self.path.startswith(("/v1/", "/oauth/token", "/oauth/deauthorize")) or not content:
            return
        if content == GARBAGE.encode():  # ordered, and no word of Stripe's
            return
        self.server.traffic.add(
            {
                "method": self.command,
                "path": self.path,
                "params": body.decode() if self.command == "POST" else None,
                "status": int(status.split()[0]),
                "response": json.loads(content),
                "headers": dict(self.headers.items()),
            }
        )

    def log_message(self, format: str, *args: Any) -> None:
        """Tests are quiet."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    # Connections that the SDK keeps open must not hold up the end of a test.
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.traffic = Traffic()
        self.open: dict[Thread, socket] = {}

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        self.open[current_thread()] = request
        try:
            super().process_request_thread(request, client_address)
        finally:
            connections.close_all()
            del self.open[current_thread()]

    def hang_up(self) -> None:
        """Clients may keep connections open, and each holds one of the database's."""
        for thread, connection in list(self.open.items()):
            with suppress(OSError):
                connection.shutdown(SHUT_RDWR)
            thread.join(5)


@pytest.fixture
def stripe_sandbox(transactional_db: None) -> Iterator[StripeSandbox]:
    limits.forget_counts()
    server = Server()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    with override_settings(STRIPE_API_BASE=base, STRIPE_CONNECT_BASE=base):
        made = seed.ensure_installation(webhook_url=NOWHERE)
        yield StripeSandbox(base, made.secret_key, made.account, made.webhook_secret, made.client_id, server.traffic)
    # The webhooks' receiver may be a live server, whose threads hold a connection to the database as long as ours.
    deliveries._session().close()
    server.shutdown()
    server.hang_up()
    server.server_close()
    thread.join()
    assert server.traffic.problems() == []
