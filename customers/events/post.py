"""One request to an endpoint: what is sent, to which address, and what came back. Touches no row."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import requests
from django.conf import settings
from requests_hardened import Config, HTTPSession, Manager
from urllib3.exceptions import HTTPError

from customers.events.models import Event, WebhookDelivery
from customers.events.signature import signature_headers

TIMEOUT = (3.05, 10)
# From the first look-up of the name to the last header of the answer.
LONGEST = 15.0
KEPT_CHARACTERS = 500
# More of an answer is never read: enough for the kept characters, whatever their encoding.
_READ_BYTES = 4 * KEPT_CHARACTERS

GONE = 410


@dataclass(frozen=True)
class Answer:
    """What came of one try. ``status`` is None when nobody answered."""

    status: int | None
    error: str = ""
    text: str = ""
    retry_after: str = ""
    duration_ms: int = 0

    @property
    def is_delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def session(agent: str = "Billing-Portal-Webhooks/1") -> HTTPSession:
    """Addresses are resolved and judged at each connection, and the connection goes to the judged address."""
    config = Config(
        ip_filter_enable=True,
        ip_filter_allow_loopback_ips=settings.WEBHOOKS_ALLOW_LOOPBACK,
        never_redirect=True,
        default_timeout=TIMEOUT,
        user_agent_override=agent,
    )
    http = Manager(config).get_session()
    # A proxy of the environment would resolve the address again, and a netrc file would add a password.
    http.trust_env = False
    return http


def body_of(event: Event) -> bytes:
    """Thin on purpose: names only, the receiver reads details over the API."""
    data = {**event.told_payload, "sequence": event.sequence}
    envelope = {"event_type": event.told_kind, "idempotency_key": event.uuid.hex, "data": data}
    return json.dumps(envelope, separators=(",", ":")).encode()


def post(http: requests.Session, delivery: WebhookDelivery, *, real_now: datetime) -> Answer:
    endpoint, event = delivery.endpoint, delivery.event
    body = body_of(event)
    # Plain, so that a small answer cannot unfold into a large one.
    headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
    if endpoint.enable_signature:
        headers |= signature_headers(endpoint.secrets(real_now), event.uuid.hex, body, real_now=real_now)
    began = time.monotonic()
    try:
        with _at_most(LONGEST):
            response = http.post(endpoint.url, data=body, headers=headers, timeout=TIMEOUT, stream=True)
    except _TooLong:
        return Answer(None, f"It did not answer within {LONGEST:g} seconds.", duration_ms=_since(began))
    except requests.RequestException as error:
        return Answer(None, _named(error), duration_ms=_since(began))
    with response:
        return Answer(
            response.status_code,
            _complaint(response.status_code),
            _beginning(response),
            response.headers.get("Retry-After", ""),
            _since(began),
        )


class _TooLong(BaseException):
    """Not an Exception, so that nobody on the way takes it for an error of the network."""


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """A timeout is for each read, so an answer that trickles in could hold its worker for ever. Where there is no main
    thread to interrupt, the timeouts have to do."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".replace("\0", "")[:1000]


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def _complaint(status: int) -> str:
    if 200 <= status < 300:
        return ""
    hint = " Redirects are not followed." if 300 <= status < 400 else ""
    return f"The endpoint answered {status}.{hint}"


def _beginning(response: requests.Response) -> str:
    """What arrives at once; nobody waits for the rest of a slow answer."""
    try:
        sent = response.raw.read1(_READ_BYTES, decode_content=False)
    except (HTTPError, OSError):
        return ""
    return bytes(sent).decode("utf-8", "replace").replace("\0", "")[:KEPT_CHARACTERS]
