"""How fast may we call Stripe? Every call waits here for its turn, whichever process makes it.

Stripe counts the requests of an account in each mode. A bucket in Redis for each account and mode, and one
for the platform, hand out turns: a caller reserves the next free moment with one round trip and sleeps
until it comes, first in the platform's queue, then in the account's. The figures stay below Stripe's
(``STRIPE_TEST_CALLS_PER_SECOND``, ``STRIPE_LIVE_CALLS_PER_SECOND``, ``STRIPE_PLATFORM_CALLS_PER_SECOND``);
0 holds nothing back.

Without Redis nobody waits: Stripe's own 429 then slows us down, which only costs time.
"""

from __future__ import annotations

import logging
import os
import time
from functools import lru_cache
from typing import Any, Protocol, cast

import redis
from django.conf import settings

logger = logging.getLogger(__name__)

# Turns that may be taken at once after a pause, as a share of a second's turns.
BURST = 0.1
# Redis answers within a millisecond or is in trouble.
PATIENCE = 0.5
WARN_EVERY = 30.0

# The bucket keeps the moment at which it will be full again (GCRA). Redis' own clock counts, so that the
# clocks of the workers need not agree; a moment that is a minute away was left by a clock set back.
TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local step, slack = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = tonumber(redis.call('GET', KEYS[1]) or now)
if full < now or full > now + 60 then full = now end
local at = math.max(now, full + step - slack)
redis.call('SET', KEYS[1], string.format('%.6f', math.max(full, at) + step), 'EX', 120)
return string.format('%.6f', at - now)
"""


class Limiter(Protocol):
    def wait(self, account_id: str, livemode: bool) -> None:
        """Return when the next call for this account and mode may be made."""


class SharedLimiter:
    """One queue for all processes of the installation."""

    def __init__(self) -> None:
        self._warned_at = 0.0

    def wait(self, account_id: str, livemode: bool) -> None:
        try:
            for key, rate in _buckets(account_id, livemode).items():
                time.sleep(_reserve(key, rate))
        except redis.RedisError as error:
            self._warn(error)

    def _warn(self, error: Exception) -> None:
        if not self._warned_at or time.monotonic() - self._warned_at > WARN_EVERY:
            self._warned_at = time.monotonic()
            logger.warning("Calls to Stripe are not paced, because Redis does not answer: %s", error)


def _buckets(account_id: str, livemode: bool) -> dict[str, float]:
    """The turns a second of each bucket that the call counts in; the account's comes last and sets the pace."""
    mode = "live" if livemode else "test"
    rate: float = settings.STRIPE_LIVE_CALLS_PER_SECOND if livemode else settings.STRIPE_TEST_CALLS_PER_SECOND
    platform: float | None = settings.STRIPE_PLATFORM_CALLS_PER_SECOND
    rates = {
        f"stripe-turns:{mode}:platform": rate if platform is None else platform,
        f"stripe-turns:{mode}:{account_id}": rate,
    }
    return {key: turns for key, turns in rates.items() if turns > 0}


def _reserve(key: str, rate: float) -> float:
    """Take the next turn; answers how many seconds away it is."""
    script = _script(os.getpid(), settings.CELERY_BROKER_URL)
    return float(cast(Any, script(keys=[key], args=[1 / rate, max(1.0, rate * BURST) / rate])))


@lru_cache(maxsize=2)
def _script(pid: int, url: str) -> Any:
    """One connection pool for each process: sockets must not be shared across a fork."""
    client = redis.Redis.from_url(url, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE)
    return client.register_script(TAKE)


limiter: Limiter = SharedLimiter()
