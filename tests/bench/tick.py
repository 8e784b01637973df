"""Does a tick with nothing due cost more where there are more customers? Every task of beat's schedule is run with 100
customers and with 100,000, in turns.

Two databases on one server, and one process that turns from one to the other, so that whatever else the machine does
meets both. Each customer has billing cycles, invoices and their papers, of which nothing is due (``quiet.py``). What a
task hands to workers is counted and not done: with nothing due there is nothing but what a task starts for each vendor
or account.

What has to hold: as many statements; none that reads a table from end to end, as EXPLAIN says of each; and a tick, and
every other task, at most 1.25 times as long. By hand: ``uv run python -m tests.bench.tick``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import psycopg
from psycopg import sql

from tests.bench.installation import servers
from tests.bench.result import Line, choose

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

CUSTOMERS, FEW = 100_000, 100
AT_MOST = 1.25


@dataclass(frozen=True)
class Cost:
    """What one run of a task asked of the database, and handed to workers."""

    statements: int
    handed_over: int
    complaints: list[str]


@dataclass(frozen=True)
class Figure:
    """Of one task, with few customers and with many. Typical times, in seconds."""

    name: str
    is_each_tick: bool
    few: Cost
    many: Cost
    few_seconds: float
    many_seconds: float

    @property
    def ratio(self) -> float:
        return self.many_seconds / self.few_seconds

    @property
    def more(self) -> int:
        """Statements and tasks handed over, beyond what they are with few."""
        return abs(self.many.statements - self.few.statements) + abs(self.many.handed_over - self.few.handed_over)

    def __str__(self) -> str:
        times = f"{1000 * self.few_seconds:7.2f} ms {1000 * self.many_seconds:7.2f} ms   {self.ratio:.2f}"
        counts = f"{self.few.statements:>3} -> {self.many.statements} statements"
        told = "".join(f"\n      {complaint}" for complaint in self.many.complaints)
        mark = "each tick" if self.is_each_tick else ""
        return f"{self.name:<50} {mark:<10} {times}  {counts}{told}"


def tasks() -> dict[str, str]:
    """What beat starts: its name for it, and the task."""
    from django.conf import settings

    return {name: entry["task"] for name, entry in settings.CELERY_BEAT_SCHEDULE.items()}


def each_tick() -> set[str]:
    from django.conf import settings

    from billing_portal.settings.schedule import TICK_SECONDS

    return {name for name, entry in settings.CELERY_BEAT_SCHEDULE.items() if entry["schedule"] == TICK_SECONDS}


@contextmanager
def handing_over() -> Iterator[list[str]]:
    """The tasks that would be handed to workers meanwhile."""
    handed: list[str] = []

    def note(task: Any, *args: Any, **options: Any) -> None:
        handed.append(task.name)

    with mock.patch("celery.app.task.Task.apply_async", autospec=True, side_effect=note):
        yield handed


@cache
def work_of(task: str) -> Callable[[], None]:
    """To be done here and now, as a worker would."""
    from billing_portal.celery import app

    app.loader.import_default_modules()
    work: Callable[[], None] = app.tasks[task].run
    return work


def cost(task: str) -> Cost:
    from tests.bench.watching import watching

    work = work_of(task)
    with handing_over() as handed, watching() as asked:
        work()
    return Cost(len(asked), len(handed), asked.complaints())


def measure(database_url: str, *, customers: int, rounds: int) -> Iterator[Figure]:
    """Django is set up here, on that database, which is migrated and empty."""
    few, many = _two_databases(database_url, customers)
    for name, task in tasks().items():
        with _using(few):
            small = cost(task)
        with _using(many):
            large = cost(task)
        yield Figure(name, name in each_tick(), small, large, *_typical(task, few, many, rounds))


def _typical(task: str, few: BaseDatabaseWrapper, many: BaseDatabaseWrapper, rounds: int) -> tuple[float, float]:
    """Medians; both were run before, by who counted the statements."""
    times: tuple[list[float], list[float]] = ([], [])
    with handing_over():
        for _ in range(rounds):
            for database, found in zip((few, many), times, strict=True):
                with _using(database):
                    found.append(_timed(work_of(task)))
    return statistics.median(times[0]), statistics.median(times[1])


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _two_databases(database_url: str, customers: int) -> tuple[BaseDatabaseWrapper, BaseDatabaseWrapper]:
    """That one for few customers, and another like it for many."""
    from django.db import connections
    from django.utils import timezone

    from tests.bench import quiet

    few = connections["default"]
    name = few.settings_dict["NAME"]
    connections.settings["many"] = {**connections.settings["default"], "NAME": f"{name}_many"}
    few.close()
    with psycopg.connect(database_url.rpartition("/")[0] + "/postgres", autocommit=True) as server:
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        server.execute(made.format(sql.Identifier(f"{name}_many"), sql.Identifier(name)))
    real_now = timezone.now()
    for database, count in ((few, FEW), (connections["many"], customers)):
        with _using(database):
            quiet.make(count, real_now)
    return few, connections["many"]


@contextmanager
def _using(database: BaseDatabaseWrapper) -> Iterator[None]:
    """Whatever goes to the database goes to that one."""
    from django.db import connections

    before = connections["default"]
    connections["default"] = database
    try:
        yield
    finally:
        connections["default"] = before


def table(figures: list[Figure], customers: int) -> list[Line]:
    tick = [figure for figure in figures if figure.is_each_tick]
    others = [figure for figure in figures if not figure.is_each_tick]
    worst = max(others, key=lambda figure: figure.ratio)
    complaints = sum(len(figure.many.complaints) for figure in figures)
    few, many = sum(figure.few_seconds for figure in tick), sum(figure.many_seconds for figure in tick)
    return [
        Line(f"a tick with {customers:,} customers, to {FEW}", _ms(many), many / few, AT_MOST, _ms(few)),
        Line(f"the same of '{worst.name}', the worst of {len(others)} other tasks",
             _ms(worst.many_seconds), worst.ratio, AT_MOST, _ms(worst.few_seconds)),
        Line("statements and tasks more", _count(figures), sum(figure.more for figure in figures), 0),
        Line("statements that read or sort a large table", f"{complaints}", complaints, 0),
    ]  # fmt: skip


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms"


def _count(figures: list[Figure]) -> str:
    return f"{sum(figure.many.statements for figure in figures)} in all"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--rounds", type=int, default=200)
    options, finish = choose(parser, {"customers": 20_000, "rounds": 60})
    figures = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        database_url, _ = servers(Path(name), stack)
        heads = f"{FEW:>6} cust. {options.customers:>6,} cust.  ratio"
        sys.stdout.write(f"{'with nothing due':<61} {heads} (at most {AT_MOST})\n")
        for figure in measure(database_url, **vars(options)):
            sys.stdout.write(f"{figure}\n")
            sys.stdout.flush()
            figures.append(figure)
    finish(table(figures, options.customers))


if __name__ == "__main__":
    main()
