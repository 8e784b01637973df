"""The signs of life of beat and the workers: each program notes the moment every few seconds, the dashboard reads it.

Kept in the cache: what is lost there is noted again within seconds. Where Redis does not answer nothing is noted, and
who asks is told that nobody knows.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from celery.signals import before_task_publish, heartbeat_sent
from django.core.cache import cache
from django.utils import timezone
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

BEAT, WORKER = "beat", "worker"
EVERY_SECONDS = 5.0
KEPT_SECONDS = 7 * 86400

_noted: dict[str, float] = {}


def note(program: str, now: datetime) -> None:
    try:
        cache.set(_key(program), now.isoformat(), timeout=KEPT_SECONDS)
    except RedisError as error:
        logger.warning("The heartbeat of %s could not be noted: %s", program, error)


def last_seen() -> Mapping[str, datetime | None] | None:
    """When each program was alive last; None where nobody can say."""
    try:
        found = cache.get_many([_key(program) for program in (BEAT, WORKER)])
    except RedisError:
        return None
    noted = {program: found.get(_key(program)) for program in (BEAT, WORKER)}
    return {program: datetime.fromisoformat(text) if text else None for program, text in noted.items()}


def _key(program: str) -> str:
    return f"heartbeat:{program}"


def _note_at_times(program: str) -> None:
    """Now and then is enough, however often we are asked."""
    if time.monotonic() - _noted.get(program, -EVERY_SECONDS) >= EVERY_SECONDS:
        _noted[program] = time.monotonic()
        note(program, timezone.now())


def begin(*, is_beat: bool) -> None:
    """From now on this process notes that it lives."""
    if is_beat:
        before_task_publish.connect(beat_is_alive)
    else:
        heartbeat_sent.connect(worker_is_alive)


def worker_is_alive(**kwargs: Any) -> None:
    """Celery's own heartbeat, from the process that hands tasks to the worker's others."""
    _note_at_times(WORKER)


def beat_is_alive(**kwargs: Any) -> None:
    """Beat has no heartbeat of its own; what it does is to send tasks, at every tick."""
    _note_at_times(BEAT)
