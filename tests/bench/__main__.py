"""Every benchmark, one after the other, and one table of what they found.

    uv run python -m tests.bench                    in full: about an hour on two cores
    uv run python -m tests.bench --quick            scaled down: a few minutes
    uv run python -m tests.bench --only tick pace   some of them
    uv run python -m tests.bench --report FILE      the table as Markdown too, with the machine it was made on

It ends with 1 where a figure does not hold, or a benchmark did not come to its end.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from billing_portal.machine.environment import PROJECT
from tests.bench import facts
from tests.bench.result import Line, read

# In the order in which they are run, and what each is about.
BENCHES = {
    "generation": "a billing run",
    "rating": "usage that is ten times as much",
    "intake": "measurements over HTTP",
    "webhooks_in": "webhooks of Stripe's",
    "burst": "50,000 webhooks at once",
    "deliveries": "webhooks to the vendor's systems",
    "pace": "Stripe's limit",
    "documents": "PDFs",
    "api_read": "reading over the API",
    "pages": "screens of the portal",
    "tick": "a tick with nothing due",
}


@dataclass(frozen=True)
class Ran:
    """One benchmark: what it found, how long it took, and the machine's load when it began."""

    name: str
    lines: list[Line]
    seconds: float
    load: float

    @property
    def holds(self) -> bool:
        return bool(self.lines) and all(line.holds for line in self.lines)


def run(name: str, *, quick: bool) -> Ran:
    """As a program of its own: each has its own servers and settings. It prints in its own words meanwhile."""
    load, began = os.getloadavg()[0], time.monotonic()
    sys.stdout.write(f"\n{name}: {BENCHES[name]}\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "lines.json"
        command = [sys.executable, "-m", f"tests.bench.{name}", "--result", str(result), *(["--quick"] * quick)]
        subprocess.run(command, cwd=PROJECT, check=False)
        lines = read(result) if result.exists() else []
    return Ran(name, lines, time.monotonic() - began, load)


HEADS = ("", "floor", "measured", "value", "limit", "")


def rows(ran: Iterable[Ran]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for one in ran:
        found.append((f"{one.name} ({one.seconds:.0f} s, load {one.load:.1f} before)", "", "", "", "", ""))
        if not one.lines:
            found.append(("  did not come to its end", "", "", "", "", "DOES NOT HOLD"))
        for line in one.lines:
            cells = (line.floor, line.measured, line.said_value, line.said_limit, line.verdict)
            found.append((f"  {line.what}", *cells))
    return found


def table(ran: Sequence[Ran]) -> str:
    """For a terminal: words to the left, figures to the right."""
    found = [HEADS, *rows(ran)]
    widths = [max(len(row[place]) for row in found if place == 0 or any(row[1:])) for place in range(len(HEADS))]
    return "".join(f"{_in_columns(row, widths)}\n" for row in found)


def _in_columns(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [cell.ljust(width) if place in (0, 5) else cell.rjust(width) for place, (cell, width) in _each(row, widths)]
    return "  ".join(cells).rstrip()


def _each(row: Sequence[str], widths: Sequence[int]) -> Iterable[tuple[int, tuple[str, int]]]:
    return enumerate(zip(row, widths, strict=True))


def report(ran: Sequence[Ran], *, command: str, load: str) -> str:
    """The same as Markdown."""
    machine = "".join(f"- {name}: {value}\n" for name, value in facts.machine().items())
    heads = ("what", *HEADS[1:5], "verdict")
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * 4 + "---|"]
    for row in rows(ran):
        first = row[0].strip() if row[0].startswith("  ") else f"**{row[0]}**"
        lines.append("| " + " | ".join((first, *row[1:])) + " |")
    return f"# Benchmarks\n\n`{command}`\n\n{machine}- load before: {load}\n\n" + "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="scaled down")
    parser.add_argument("--only", nargs="+", choices=sorted(BENCHES), metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--report", type=Path, metavar="FILE", help="the table as Markdown, with the machine's facts")
    options = parser.parse_args()
    load = facts.load()
    ran = [run(name, quick=options.quick) for name in BENCHES if not options.only or name in options.only]
    sys.stdout.write(f"\n{table(ran)}")
    if options.report:
        command = " ".join(("python -m tests.bench", *sys.argv[1:]))
        options.report.write_text(report(ran, command=command, load=load))
    sys.exit(not all(one.holds for one in ran))


if __name__ == "__main__":
    main()
