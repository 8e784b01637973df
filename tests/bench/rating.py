"""Does a cycle's invoice cost more where more was measured? The same billing cycles are rated twice, with ten times as
many measurements the second time, in the same tables.

Measurements are folded first, as beat does while they come in; what that takes is printed too. Rating is what beat's
task does: invoices with lines, explanations and events from ended cycles (``cycles.py``), in a process of its own whose
memory is looked at. By hand: ``uv run python -m tests.bench.rating``.

There are more days the second time: of 17 measurements all over a month, some fall on the same day and many days stay
empty, of 170 hardly any. The number of days is printed, since it is what rating reads.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psycopg

from tests.bench import cycles
from tests.bench.cycles import Run
from tests.bench.installation import servers
from tests.bench.result import Line, choose

AT_MOST = 1.3


@dataclass(frozen=True)
class Figures:
    measurements: int
    days: int
    filling: float
    folding: float
    lines: int
    runs: list[Run]

    @property
    def seconds(self) -> float:
        return median(run.seconds for run in self.runs)

    def __str__(self) -> str:
        each = ", ".join(f"{run.seconds:.1f}" for run in self.runs)
        folded = f"{self.measurements:>12,} measurements, folded into {self.days:,} days in {self.folding:.1f} s"
        rated = f"{self.lines:,} lines rated in {self.seconds:.1f} s (of {each})"
        return f"{folded}; {rated}, at most {max(run.megabytes for run in self.runs)} MB"


def table(few: Figures, many: Figures) -> list[Line]:
    megabytes = max(run.megabytes for run in (*few.runs, *many.runs))
    what = f"rating with {many.measurements / few.measurements:.0f} times the measurements"
    return [
        Line(what, f"{many.seconds:.1f} s", many.seconds / few.seconds, AT_MOST, f"{few.seconds:.1f} s"),
        Line("memory of a worker, MB", f"{megabytes} MB", megabytes, 300),
    ]


def measure(database_url: str, *, count: int, measurements: int, times: int, repeat: int) -> tuple[Figures, Figures]:
    """Django is set up here, on that database, which is migrated."""
    cycles.make(count)
    few = _rate_with(database_url, 0, measurements, repeat)
    many = _rate_with(database_url, measurements, times * measurements, repeat)
    return few, many


def _rate_with(database_url: str, already: int, measurements: int, repeat: int) -> Figures:
    filling = cycles.fill(database_url, already, measurements)
    folding, days = cycles.fold(database_url)
    runs = []
    for _ in range(repeat):
        cycles.forget_invoices(database_url)
        runs.append(cycles.generate(1))
    with psycopg.connect(database_url) as connection:
        metered = "SELECT count(*) FROM invoicing_lineitem WHERE kind = 'METERED_COMPONENT'"
        [lines] = connection.execute(metered).fetchone() or (0,)
    return Figures(measurements, days, filling, folding, lines, runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=20_000)
    parser.add_argument("--measurements", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--repeat", type=int, default=3, help="runs of each; the median counts")
    parser.add_argument("--scale", type=float, default=1, help="a share of cycles and measurements")
    options, finish = choose(parser, {"scale": 0.05, "repeat": 1})
    count, measurements = (int(number * options.scale) for number in (options.cycles, options.measurements))
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        database_url, _ = servers(Path(name), stack)
        sizes = {"count": count, "measurements": measurements, "times": options.times}
        few, many = measure(database_url, **sizes, repeat=options.repeat)
        sys.stdout.write(f"{few}\n{many}\nratio {many.seconds / few.seconds:.2f} (at most {AT_MOST})\n")
    finish(table(few, many))


if __name__ == "__main__":
    main()
