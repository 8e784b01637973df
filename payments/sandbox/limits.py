"""Stripe's limits on requests a second: a token bucket for each account and mode, and one for each of its endpoints,
off until they are ordered.

The figures stand in the database, the buckets in the one process that serves.
"""

import time
from collections import defaultdict
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from django.db import models

from payments.sandbox.errors import rate_limited
from payments.sandbox.models import RateLimit


@dataclass
class Bucket:
    """Full at first; it holds the requests of one second."""

    per_second: float = 0
    tokens: float = 0
    filled_at: float = 0
    served: int = 0
    refused: int = 0
    lock: Lock = field(default_factory=Lock)

    def take(self, per_second: float, now: float) -> bool:
        with self.lock:
            if per_second != self.per_second:
                self.per_second, self.tokens, self.filled_at = per_second, max(1.0, per_second), now
            full = max(1.0, per_second)
            self.tokens = min(full, self.tokens + (now - self.filled_at) * per_second)
            self.filled_at = now
            if self.tokens < 1:
                self.refused += 1
                return False
            self.tokens -= 1
            self.served += 1
            return True


clock = time.monotonic
_buckets: defaultdict[tuple[str, bool], Bucket] = defaultdict(Bucket)
_of_endpoints: defaultdict[tuple[str, bool, str], Bucket] = defaultdict(Bucket)


def enter(account: str, livemode: bool, per_second: float | None) -> None:
    """Count the request, or refuse it."""
    if per_second is not None and not _buckets[account, livemode].take(per_second, clock()):
        raise rate_limited()


def enter_endpoint(account: str, livemode: bool, endpoint: str, per_second: float | None) -> None:
    """The same for one endpoint, which is a method and an address without its ids."""
    if per_second is not None and not _of_endpoints[account, livemode, endpoint].take(per_second, clock()):
        raise rate_limited()


def set_limit(account: str, livemode: bool, per_second: float, endpoint_per_second: float | None) -> None:
    figures = {"per_second": per_second, "endpoint_per_second": endpoint_per_second}
    RateLimit.objects.update_or_create(account=account, livemode=livemode, defaults=figures)
    forget_counts()


def lift(limits: "models.QuerySet[RateLimit]") -> None:
    limits.delete()
    forget_counts()


def forget_counts() -> None:
    _buckets.clear()
    _of_endpoints.clear()


def counts() -> list[dict[str, Any]]:
    """What was served and refused since the limits were last changed."""
    whole = [
        {"account": account, "livemode": livemode, "served": bucket.served, "refused": bucket.refused}
        for (account, livemode), bucket in list(_buckets.items())
    ]
    each = [
        {"account": account, "livemode": livemode, "endpoint": name, "served": one.served, "refused": one.refused}
        for (account, livemode, name), one in list(_of_endpoints.items())
    ]
    return whole + each
