"""What Stripe's refusals mean to somebody who pressed a button or called our API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from customers.errors import Busy, Conflict
from invoicing.gateways import GatewayRejected, GatewayUnavailable


@contextmanager
def in_words() -> Iterator[None]:
    """Turns the gateway's errors into refusals: out of reach passes by itself, refused says why."""
    try:
        yield
    except GatewayUnavailable as error:
        raise Busy(f"{error.message} Try again in a minute.", code="stripe_unavailable") from error
    except GatewayRejected as error:
        raise Conflict(error.message, code=error.code or "stripe_refused") from error
