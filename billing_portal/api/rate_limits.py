"""How many requests a key may make in a minute, and the headers that tell it.

A counter in the cache, which all processes share, for each key and minute. Whoever passes the limit is refused
with 429 until the minute is over. Where the cache does not answer, nobody is held back: a limit protects the
installation from a runaway script, and is no reason to refuse work.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from redis.exceptions import RedisError
from rest_framework.exceptions import Throttled
from rest_framework.request import Request

from billing_portal.accounts.models import ApiKey

logger = logging.getLogger(__name__)

WINDOW = 60


@dataclass(frozen=True)
class Allowance:
    limit: int
    remaining: int
    reset: int  # seconds until the minute is over


def count(request: Request, key: ApiKey, real_now: datetime) -> None:
    """Counts this request. Raises ``Throttled`` beyond ``API_REQUESTS_PER_MINUTE`` (0: no limit)."""
    limit: int = settings.API_REQUESTS_PER_MINUTE
    if limit <= 0:
        return
    minute, second = divmod(int(real_now.timestamp()), WINDOW)
    made = requests_counted(f"api-requests:{key.pk}:{minute}")
    reset = WINDOW - second
    # The Django request lives until the headers are written.
    request._request.allowance = Allowance(limit, max(0, limit - made), reset)  # type: ignore[attr-defined]
    if made > limit:
        raise Throttled(wait=reset, detail=f"More than {limit} requests in a minute with this API key.")


class RateLimitHeaders:
    """Middleware: what is left of the limit, on every answer to a key."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        allowance: Allowance | None = getattr(request, "allowance", None)
        if allowance is not None:
            response["RateLimit-Limit"] = str(allowance.limit)
            response["RateLimit-Remaining"] = str(allowance.remaining)
            response["RateLimit-Reset"] = str(allowance.reset)
        return response


def requests_counted(name: str) -> int:
    """How many requests this minute, this one included. 0: nobody knows."""
    try:
        cache.add(name, 0, timeout=2 * WINDOW)
        return int(cache.incr(name))
    except (RedisError, ValueError) as error:
        logger.warning("Requests are not counted, because the cache does not answer: %s", error)
        return 0
