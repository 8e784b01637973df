"""The sandbox without a wire: the SDK hands each request to it in this thread and inside the test's transaction, so
that a call takes milliseconds and nothing has to be emptied afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import Any
from urllib.parse import unquote, urlsplit

import stripe
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from payments.sandbox import wsgi


class SandboxInThisThread(stripe.HTTPClient):
    name = "sandbox"

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **options: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        head: list[Any] = []
        environ = _environ(method.upper(), url, headers or {}, (post_data or "").encode())
        with _connection_kept():
            content = b"".join(wsgi.application(environ, lambda *given: head.extend(given)))
        status, answered = head
        return content.decode(), int(status.split()[0]), dict(answered)

    def close(self) -> None:
        """Nothing is open."""


@contextmanager
def _connection_kept() -> Iterator[None]:
    """A request that ends would close the test's own connection; Django's test client does the same."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


def _environ(method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    address = urlsplit(url)
    return {
        **{f"HTTP_{name.upper().replace('-', '_')}": str(value) for name, value in headers.items()},
        "REQUEST_METHOD": method,
        "PATH_INFO": unquote(address.path),
        "QUERY_STRING": address.query,
        "CONTENT_TYPE": "application/x-www-form-urlencoded" if body else "",
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "1",
        "wsgi.input": BytesIO(body),
        "wsgi.url_scheme": "http",
    }
