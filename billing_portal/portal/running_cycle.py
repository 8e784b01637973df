"""The billing cycle a subscription is in, and what was used in it so far."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from invoicing.subscriptions.models import Subscription


def running_cycle(subscription: Subscription | None, now: datetime) -> dict[str, Any]:
    if subscription is None:
        return {"cycle": None, "usage": []}
    cycle = subscription.cycles.filter(start__lte=now, end__gt=now).first()
    return {"cycle": cycle, "usage": []}
