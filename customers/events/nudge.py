"""Telling the workers, right after a commit, that there are events to deliver."""

from __future__ import annotations

from django.db import connection, transaction

from customers.nudging import Nudge

DELIVERIES = Nudge("webhooks:nudged")


def nudge_after_commit(*, told: bool) -> None:
    """At most once a transaction, however many events it writes; a rolled back savepoint takes its own with it."""
    if told and not any(entry[1] is _nudge for entry in connection.run_on_commit):
        transaction.on_commit(_nudge)


def _nudge() -> None:
    from customers.tasks import deliver_events

    DELIVERIES.give(deliver_events)
