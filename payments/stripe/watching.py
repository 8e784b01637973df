"""How Stripe answers us, counted: calls by what came of them, and how long they took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from customers.counters import count

# Upper ends in seconds, as Prometheus' histograms have them; what takes longer is in none of them.
BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)
CALLS, BUCKET, SECONDS = "stripe_calls", "stripe_bucket", "stripe_seconds"


@contextmanager
def watched(livemode: bool) -> Iterator[None]:
    """Around one call, its retries included. An exception is named by its kind: ``RateLimitError``, ``CardError``."""
    mode, began, outcome = "live" if livemode else "test", time.monotonic(), "ok"
    try:
        yield
    except Exception as error:
        outcome = type(error).__name__
        raise
    finally:
        took = time.monotonic() - began
        within = next((bucket for bucket in BUCKETS if took <= bucket), None)
        told = {f"{CALLS}:{mode}:{outcome}": 1.0, f"{SECONDS}:{mode}": took}
        count(**told, **({f"{BUCKET}:{mode}:{within:g}": 1.0} if within else {}))
