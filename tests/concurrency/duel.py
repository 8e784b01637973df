"""Two verbs at once, on two real connections: the first is stopped at one point, the second runs as far as it gets,
then both end.

A point is a moment of the first verb at which something is half done: ``commit`` (it has all its locks and has written
everything), ``call`` (it is about to ask the gateway), ``answer`` (the gateway has done what it was asked, and nobody
here has heard of it). The n-th of each kind is a point of its own.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from django.db import DEFAULT_DB_ALIAS, connection, connections

from customers.errors import Refused

PATIENCE = 10.0

Point = tuple[str, int]
Act = Callable[[], object]


@dataclass
class Watch:
    """What a verb comes by, and where it is stopped."""

    stop: Point | None = None
    seen: Counter[str] = field(default_factory=Counter)
    reached: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)

    def pass_by(self, kind: str) -> None:
        self.seen[kind] += 1
        if (kind, self.seen[kind]) == self.stop:
            self.reached.set()
            assert self.go.wait(PATIENCE), "nobody let it go on"


_here = threading.local()


def pass_by(kind: str) -> None:
    """Called by the gateway double, on the thread of whoever asks it."""
    watch: Watch | None = getattr(_here, "watch", None)
    if watch is not None:
        watch.pass_by(kind)


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    mine = connections[DEFAULT_DB_ALIAS]
    real_commit = mine.commit

    def commit() -> None:
        watch.pass_by("commit")
        real_commit()

    _here.watch = watch
    mine.commit = commit  # type: ignore[method-assign]
    try:
        yield
    finally:
        mine.commit = real_commit  # type: ignore[method-assign]
        _here.watch = None


def outcome_of(act: Act) -> str:
    """Empty where it was done, else the domain's own refusal. Anything else is a fault and raised."""
    try:
        act()
    except Refused as refusal:
        return refusal.code
    return ""


class Fighters:
    """Two threads, each with a connection of its own, that serve for many duels."""

    def __init__(self) -> None:
        self._threads = [ThreadPoolExecutor(1) for _ in range(2)]
        self.pids: list[int] = [thread.submit(_pid).result(PATIENCE) for thread in self._threads]

    def close(self) -> None:
        for thread in self._threads:
            thread.submit(_hang_up).result(PATIENCE)
            thread.shutdown()

    def points(self, act: Act) -> tuple[str, Counter[str]]:
        """One verb alone: what became of it, and what it came by."""
        watch = Watch()
        return self._start(0, act, watch).result(PATIENCE), watch.seen

    def duel(self, first: Act, second: Act, stop: Point) -> tuple[str, str]:
        """What became of each."""
        watch = Watch(stop)
        one = self._start(0, first, watch)
        try:
            _wait_for(lambda: watch.reached.is_set() or one.done())
            two = self._start(1, second, Watch())
            _wait_for(lambda: two.done() or self._is_waiting(1))
        finally:
            watch.go.set()
        return one.result(PATIENCE), two.result(PATIENCE)

    def _start(self, number: int, act: Act, watch: Watch) -> Future[str]:
        def run() -> str:
            with watched(watch):
                return outcome_of(act)

        return self._threads[number].submit(run)

    def _is_waiting(self, number: int) -> bool:
        """For a lock that somebody else holds."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s", [self.pids[number]])
            return cursor.fetchone() == ("Lock",)


def _hang_up() -> None:
    """Also out of the middle of a transaction that went wrong."""
    mine = connections[DEFAULT_DB_ALIAS]
    if mine.connection is not None:
        mine.connection.close()
    mine.connection = None


def _pid() -> int:
    connection.ensure_connection()
    with connection.cursor() as cursor:
        # A deadlock is a fault here, and need not take a second to be seen.
        with suppress(Exception):
            cursor.execute("SET deadlock_timeout = '100ms'")
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def _wait_for(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.002)):
        if condition():
            return
        pause.wait(0.002)
    raise AssertionError("nothing happened for too long")
