"""Telling the workers that there is work, as soon as it is committed. Beat's tick finds it anyway."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from celery import Task
from django.core.cache import cache
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

# A mark whose task was lost with the broker goes by itself.
_LONGEST_WAIT_SECONDS = 30


@dataclass(frozen=True)
class Nudge:
    """For work that one task takes up however much there is: while that task waits for a worker, a second would find
    nothing to do. ``name`` is the mark's in the cache."""

    name: str

    def give(self, task: Task[..., Any]) -> None:
        """Never fails: without the broker the work waits for the next tick."""
        try:
            if cache.add(self.name, True, timeout=_LONGEST_WAIT_SECONDS):
                task.delay()
        except (OperationalError, RedisError) as error:
            logger.warning("The broker is out of reach, %s waits for the next tick: %s", task.name, error)

    def answered(self) -> None:
        """The first thing that the task does: what is written from now on needs another."""
        cache.delete(self.name)
