"""HTTP without a wire: requests to Stripe and Stripe's webhooks are handed over within the process.

Everything else is as over the wire: the SDK with its own retries, encoded requests, the sandbox's whole way from
the header to the answer, the portal's webhook view behind its middleware. Nothing may be sent while a transaction
is open.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any
from unittest import mock
from urllib.parse import unquote, urlsplit

import requests
from django.core.handlers.wsgi import WSGIRequest
from django.db import connection
from django.test import Client
from django.utils import timezone

from payments.sandbox import wsgi
from payments.sandbox.faults import Dropped
from payments.sandbox.server import GARBAGE
from tests.contract.traffic import Traffic

STRIPE = "http://stripe.test"
PORTAL = "http://portal.test"


class Time:
    """What ``timezone.now()`` says. It stands still until somebody lets it pass."""

    def __init__(self) -> None:
        self.start = timezone.now()
        self.now = self.start

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now

    def begin_again(self) -> None:
        self.now = self.start

    def pass_by(self, pause: timedelta) -> None:
        self.now += pause


@contextmanager
def everything_here(traffic: Traffic) -> Iterator[Time]:
    time, portal = Time(), Client()

    def send(session: requests.Session, prepared: requests.PreparedRequest, **options: Any) -> requests.Response:
        assert not connection.in_atomic_block, f"{prepared.method} {prepared.url} within a transaction"
        url = str(prepared.url)
        if url.startswith(STRIPE):
            return _to_stripe(prepared, traffic)
        assert url.startswith(PORTAL), f"a request left the test: {url}"
        return _to_portal(prepared, portal)

    sleep = "stripe._http_client.HTTPClient._sleep_time_seconds"
    with (
        mock.patch.object(requests.Session, "send", send),
        mock.patch("django.utils.timezone.now", time),
        mock.patch(sleep, return_value=0),
    ):
        yield time


def _to_stripe(prepared: requests.PreparedRequest, traffic: Traffic) -> requests.Response:
    try:
        answer = wsgi._respond(WSGIRequest(_environ(prepared)))
    except Dropped as dropped:
        raise requests.ConnectionError("the connection was reset") from dropped
    content = answer.content
    if content != GARBAGE.encode():
        _record(prepared, answer.status_code, content, traffic)
    return _response(prepared, answer.status_code, dict(answer.items()), content)


def _body(prepared: requests.PreparedRequest) -> bytes:
    body = prepared.body or b""
    return body.encode() if isinstance(body, str) else bytes(body)


def _environ(prepared: requests.PreparedRequest) -> dict[str, Any]:
    parts, body = urlsplit(str(prepared.url)), _body(prepared)
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in prepared.headers.items()}
    return {
        **headers,
        "REQUEST_METHOD": prepared.method,
        "PATH_INFO": unquote(parts.path),
        "QUERY_STRING": parts.query,
        "CONTENT_TYPE": prepared.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "stripe.test",
        "SERVER_PORT": "80",
        "wsgi.input": BytesIO(body),
        "wsgi.url_scheme": "http",
    }


def _record(prepared: requests.PreparedRequest, status: int, content: bytes, traffic: Traffic) -> None:
    parts = urlsplit(str(prepared.url))
    traffic.add(
        {
            "method": prepared.method,
            "path": parts.path + (f"?{parts.query}" if parts.query else ""),
            "params": _body(prepared).decode() if prepared.method == "POST" else None,
            "status": status,
            "response": json.loads(content),
            "headers": dict(prepared.headers.items()),
        }
    )


def _to_portal(prepared: requests.PreparedRequest, portal: Client) -> requests.Response:
    path, headers = urlsplit(str(prepared.url)).path, dict(prepared.headers.items())
    kind = headers.pop("Content-Type")
    answer = portal.post(path, _body(prepared), content_type=kind, headers=headers)
    return _response(prepared, answer.status_code, dict(answer.items()), answer.content)


def _response(
    prepared: requests.PreparedRequest, status: int, headers: dict[str, str], content: bytes
) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.headers.update(headers)
    response.raw = BytesIO(content)
    response._content = content
    response.request, response.url = prepared, str(prepared.url)
    return response
