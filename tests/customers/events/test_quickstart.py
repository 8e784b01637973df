"""The receivers of docs/webhooks.md, run as they stand there."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from django.utils import timezone

from customers.events.models import EventKind, WebhookDelivery, WebhookEndpoint
from customers.events.signature import signature_headers
from tests import documented
from tests.customers.events.conftest import T0

NODE = shutil.which("node")


@contextmanager
def running(command: list[str], code: str, path: Path, secret: str) -> Iterator[tuple[str, Path]]:
    """The address it listens at, and the file it prints to."""
    path.write_text(code)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    printed = path.with_suffix(".out")
    env = {**os.environ, "WEBHOOK_SECRET": secret, "PORT": str(port)}
    with printed.open("w") as out:
        process = subprocess.Popen([*command, str(path)], env=env, stdout=out)
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}/", printed
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int) -> None:
    patience = time.monotonic() + 30
    while time.monotonic() < patience:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("The receiver does not listen.")


@pytest.mark.parametrize(
    ("language", "command", "name"),
    [
        ("python", [sys.executable], "receiver.py"),
        pytest.param(
            "javascript",
            [NODE or "node"],
            "receiver.mjs",
            marks=pytest.mark.skipif(NODE is None, reason="Node is not installed."),
        ),
    ],
)
def test_a_receiver_verifies_what_is_sent(post_room, tmp_path, language, command, name):
    code = documented.code(language)[0]
    now = timezone.now()
    with running(command, code, tmp_path / name, post_room.endpoint.secret) as (url, printed):
        WebhookEndpoint.objects.update(url=url)
        post_room.tell(7, EventKind.CUSTOMER_NEW)
        assert post_room.work(now) == 1
        delivery = WebhookDelivery.objects.get()
        assert (delivery.state, delivery.response_status) == ("delivered", 204)
        body = b'{"event_type": "x", "data": {}}'
        forged = signature_headers([post_room.endpoint.secret], "msg", b"{}", real_now=now)
        assert requests.post(url, data=body, headers=forged, timeout=10).status_code == 400
        old = signature_headers([post_room.endpoint.secret], "msg", body, real_now=T0)
        assert requests.post(url, data=body, headers=old, timeout=10).status_code == 400
        honest = signature_headers(["whsec_AAAA", post_room.endpoint.secret], "msg", body, real_now=now)
        assert requests.post(url, data=body, headers=honest, timeout=10).status_code == 204
    assert "customer.new" in printed.read_text()


def test_five_lines_of_hmac_verify_too(post_room, receiver):
    given: dict = {}
    exec(documented.code("python")[1], given)  # noqa: S102 - it is our own page
    post_room.tell(7)
    post_room.work()
    [(headers, body)] = receiver.received
    secret = post_room.endpoint.secret
    assert given["is_genuine"](secret, body, headers["Octane-Signature"])
    assert not given["is_genuine"](secret, body + b" ", headers["Octane-Signature"])
