"""Two beats and four workers, each a process of its own, until nothing is due any more.

``python -m tests.scenarios.racing.run`` works on the database, the broker and the mail folder of the environment. The
beats do what ``invoicing.tasks.advance_due`` does, five times a second, so that they meet often;
the workers do what ``perform_step`` does with what they find in the queue.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable

QUEUE = "racing:steps"
BEATS, WORKERS = 2, 4
PATIENCE = 600
OVER = b""


def beat() -> None:
    from django.utils import timezone

    from customers.due import due_everywhere
    from invoicing.invoices.advance import advance
    from invoicing.models import Invoice

    queue, until = _queue(), time.monotonic() + PATIENCE
    while Invoice.objects.filter(next_action_at__isnull=False).exists() and time.monotonic() < until:
        now = timezone.now()
        for due in due_everywhere(now):
            advance(due, real_now=now, hand_over=lambda pk, token: queue.rpush(QUEUE, f"{pk} {token}"))
        time.sleep(0.2)


def work() -> None:
    from django.utils import timezone

    from invoicing.invoices.advance import perform

    queue = _queue()
    while (taken := queue.blpop([QUEUE], timeout=PATIENCE)) and taken[1] != OVER:
        pk, token = taken[1].decode().split()
        perform(int(pk), uuid.UUID(token), real_now=timezone.now())


def _queue():  # type: ignore[no-untyped-def]
    import redis

    return redis.Redis.from_url(os.environ["REDIS_URL"])


def _fork(job: Callable[[], None]) -> int:
    """A process that does this and ends; with connections of its own, because none is open yet."""
    if pid := os.fork():
        return pid
    code = 1
    try:
        job()
        code = 0
    finally:
        os._exit(code)


def main() -> None:
    import django

    django.setup()
    workers = [_fork(work) for _ in range(WORKERS)]
    beats = [_fork(beat) for _ in range(BEATS)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in beats]
    _queue().rpush(QUEUE, *[OVER] * WORKERS)
    codes += [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in workers]
    raise SystemExit(max(codes))


if __name__ == "__main__":
    main()
