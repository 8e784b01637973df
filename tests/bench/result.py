"""What a benchmark found: the lines of the one table, and how each hands them over.

Every benchmark can be run by itself and prints in its own words. ``python -m tests.bench`` runs them as programs and
reads their lines from the file that it names with ``--result``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Line:
    """One row of the table. ``value`` is what is held against ``limit``: where there is a ``floor``, how many times as
    much as that. Without a limit it is told and not judged."""

    what: str
    measured: str
    value: float
    limit: float | None = None
    floor: str = ""
    at_least: bool = False

    @property
    def holds(self) -> bool:
        if self.limit is None:
            return True
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    @property
    def said_value(self) -> str:
        return f"{self.value:,.2f}" if self.value % 1 else f"{self.value:,.0f}"

    @property
    def said_limit(self) -> str:
        if self.limit is None:
            return ""
        return f"{'at least' if self.at_least else 'at most'} {self.limit:g}"

    @property
    def verdict(self) -> str:
        if self.limit is None:
            return ""
        return "holds" if self.holds else "DOES NOT HOLD"


Finish = Callable[[Iterable[Line]], None]


def choose(parser: argparse.ArgumentParser, quick: Mapping[str, Any]) -> tuple[argparse.Namespace, Finish]:
    """What was asked for, with ``--quick``'s own defaults, and what to do with the lines at the end: hand them over,
    and end with 1 where one does not hold."""
    scaled = ", ".join(f"--{name.replace('_', '-')} {value}" for name, value in quick.items())
    parser.add_argument("--quick", action="store_true", help=f"the same as {scaled}")
    parser.add_argument("--result", type=Path, help=argparse.SUPPRESS)
    if parser.parse_known_args()[0].quick:
        parser.set_defaults(**quick)
    options = parser.parse_args()
    result = options.result
    del options.quick, options.result

    def finish(found: Iterable[Line]) -> None:
        lines = list(found)
        if result:
            result.write_text(json.dumps([asdict(line) for line in lines]))
        sys.exit(not all(line.holds for line in lines))

    return options, finish


def read(path: Path) -> list[Line]:
    return [Line(**line) for line in json.loads(path.read_text())]
