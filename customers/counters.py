"""Counters that all processes share, for whoever watches the installation: they only grow, and live in Redis.

What is lost with Redis starts again at nothing, which Prometheus knows how to read. Where Redis does not answer nothing
is counted: no work waits for it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings

KEY = "billing-portal:counters"
# Redis answers within a millisecond or is in trouble.
PATIENCE = 0.5


def count(**amounts: float) -> None:
    """Adds each. A counter's name may go on with a colon and a label, ``{"stripe_calls:test:ok": 1}``."""
    try:
        with _client(os.getpid(), settings.CELERY_BROKER_URL).pipeline(transaction=False) as pipeline:
            for name, amount in amounts.items():
                pipeline.hincrbyfloat(KEY, name, amount)
            pipeline.execute()
    except redis.RedisError:
        return


def counted() -> Mapping[str, float] | None:
    """None: nobody can say."""
    try:
        found: Any = _client(os.getpid(), settings.CELERY_BROKER_URL).hgetall(KEY)
    except redis.RedisError:
        return None
    return {name.decode(): float(amount) for name, amount in found.items()}


@lru_cache(maxsize=2)
def _client(pid: int, url: str) -> redis.Redis:
    """One connection pool for each process: sockets must not be shared across a fork."""
    return redis.Redis.from_url(url, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE)
