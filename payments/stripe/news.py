"""What the modules that look at news from Stripe share. ``handlers`` is the table of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from payments.stripe.models import StripeConnection, StripeEvent

# ``handler(connection, events of one object, real_now)`` answers why they are ignored, or "".
Handler = Callable[[StripeConnection, Sequence[StripeEvent], datetime], str]


class Wait(Exception):
    """Our own record of what the event is about is not written yet."""


def mapping_of(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def subject(event: StripeEvent) -> Mapping[str, Any]:
    """The object an event is about, as it was: only ids in it are believed."""
    return mapping_of(mapping_of(event.body.get("data")).get("object"))
