"""Telling the workers, right after a commit, that there are events to deliver. Beat's tick finds them anyway."""

from __future__ import annotations

import logging

from django.core.cache import cache
from django.db import connection, transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

# While one task waits for a worker, a second would find nothing to do.
_WAITING = "webhooks:nudged"
_LONGEST_WAIT_SECONDS = 30


def nudge_after_commit(*, told: bool) -> None:
    """At most once a transaction, however many events it writes; a rolled back savepoint takes its own with it."""
    if told and not any(entry[1] is _nudge for entry in connection.run_on_commit):
        transaction.on_commit(_nudge)


def _nudge() -> None:
    from customers.tasks import deliver_events

    try:
        if cache.add(_WAITING, True, timeout=_LONGEST_WAIT_SECONDS):
            deliver_events.delay()
    except (OperationalError, RedisError) as error:
        # The mark, where it was set, goes by itself.
        logger.warning("The broker is out of reach, webhooks wait for the next tick: %s", error)


def answered() -> None:
    """The task has begun: what is written from now on needs another."""
    cache.delete(_WAITING)
