"""How often somebody may try, for each account and each address, counted in the cache that all processes share.

Where the cache does not answer nobody is held back, as with the API's limit: passwords are still hashed slowly, and a
broken cache must not lock everybody out.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limit:
    """No more than ``most`` in a window; windows follow each other."""

    name: str
    most: int
    window: timedelta

    def left(self, real_now: datetime) -> timedelta:
        """How long the present window still is."""
        return self.window - timedelta(seconds=real_now.timestamp()) % self.window

    def key(self, who: str, real_now: datetime) -> str:
        number = timedelta(seconds=real_now.timestamp()) // self.window
        return f"{self.name}:{hashlib.sha256(who.lower().encode()).hexdigest()}:{number}"


QUARTER = timedelta(minutes=15)
SIGN_IN_ACCOUNT = Limit("sign-in-account", 10, QUARTER)
SIGN_IN_ADDRESS = Limit("sign-in-address", 50, QUARTER)
# Six digits, three of which are good at any moment: whoever has the password finds one in eight years of guessing.
CODE_ACCOUNT = Limit("sign-in-code", 5, timedelta(hours=1))
RESET_ACCOUNT = Limit("reset-account", 3, timedelta(hours=1))
RESET_ADDRESS = Limit("reset-address", 20, timedelta(hours=1))


@dataclass(frozen=True)
class Tries:
    """What somebody does counts against several limits at once."""

    counted: tuple[tuple[Limit, str], ...]
    real_now: datetime

    def wait(self, only: Limit | None = None) -> timedelta | None:
        """How long until it may be tried again; None: at once."""
        keys = [(limit, key) for limit, key in self._keys() if only in (None, limit)]
        full = [limit for limit, key in keys if _read(key) >= limit.most]
        return max((limit.left(self.real_now) for limit in full), default=None)

    def count(self) -> None:
        for limit, key in self._keys():
            _add(key, 2 * limit.window)

    def forget(self, forgotten: Limit) -> None:
        for limit, key in self._keys():
            if limit is forgotten:
                _delete(key)

    def _keys(self) -> Iterable[tuple[Limit, str]]:
        return [(limit, limit.key(who, self.real_now)) for limit, who in self.counted if who]


def sign_in_tries(request: HttpRequest | None, email: str, *, real_now: datetime) -> Tries:
    return Tries(((SIGN_IN_ACCOUNT, email), (SIGN_IN_ADDRESS, address_of(request))), real_now)


def code_tries(operator_id: int, *, real_now: datetime) -> Tries:
    return Tries(((CODE_ACCOUNT, str(operator_id)),), real_now)


def reset_tries(request: HttpRequest, email: str, *, real_now: datetime) -> Tries:
    return Tries(((RESET_ACCOUNT, email), (RESET_ADDRESS, address_of(request))), real_now)


def address_of(request: HttpRequest | None) -> str:
    """Where the request comes from, as the last proxy of ours says. Empty: nobody knows, so nobody is counted."""
    if request is None:
        return ""
    if not settings.PROXIES:
        return str(request.META.get("REMOTE_ADDR", ""))
    said = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    return said[-settings.PROXIES] if len(said) >= settings.PROXIES else ""


def in_words(wait: timedelta) -> str:
    minutes = max(1, -(-int(wait.total_seconds()) // 60))
    return "a minute" if minutes == 1 else f"{minutes} minutes"


def _read(key: str) -> int:
    try:
        return int(cache.get(key, 0))
    except RedisError as error:
        logger.warning("Tries are not counted, because the cache does not answer: %s", error)
        return 0


def _add(key: str, life: timedelta) -> None:
    try:
        cache.add(key, 0, timeout=int(life.total_seconds()))
        cache.incr(key)
    except (RedisError, ValueError) as error:
        logger.warning("Tries are not counted, because the cache does not answer: %s", error)


def _delete(key: str) -> None:
    try:
        cache.delete(key)
    except RedisError as error:
        logger.warning("Tries are not forgotten, because the cache does not answer: %s", error)
