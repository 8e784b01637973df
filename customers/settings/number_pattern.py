"""How invoice numbers look: ``INV-{year}-{number:06}`` makes INV-2026-000001.

What a pattern says beside its counter names the series that is counted: a pattern with ``{year}`` starts at 1 again
each year, one with ``{month}`` each month, in the vendor's zone. How many digits are printed makes no other series.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

LONGEST = 40
MOST_DIGITS = 12
EXAMPLE = "INV-{year}-{number:06}"

_VARIABLE = re.compile(r"\{([^{}]*)\}")
_COUNTER = re.compile(r"number(?::0?(\d{1,2}))?")
_PLAIN = re.compile(r"[A-Za-z0-9._/-]*")
# Years have four digits until 9999, and months two.
_MOMENTS = {"year": "%Y", "month": "%m"}


@dataclass(frozen=True)
class Series:
    """A pattern at a moment: one counter. ``key`` names it among the vendor's."""

    before: str
    digits: int
    after: str

    @property
    def key(self) -> str:
        return f"{self.before}{{number}}{self.after}"

    def number(self, value: int) -> str:
        return f"{self.before}{value:0{self.digits}d}{self.after}"


def series_of(pattern: str, at: datetime) -> Series:
    """``at`` is in the vendor's zone."""
    said = _VARIABLE.sub(lambda found: at.strftime(_MOMENTS.get(found[1], "")) or found[0], pattern)
    counter = next(found for found in _VARIABLE.finditer(said) if _COUNTER.fullmatch(found[1]))
    return Series(said[: counter.start()], _digits(counter[1]), said[counter.end() :])


def problem_with(pattern: str) -> str:
    """What is wrong with it, and the remedy; empty where nothing is."""
    names = _VARIABLE.findall(pattern)
    counters = [name for name in names if _COUNTER.fullmatch(name)]
    unknown = [name for name in names if name not in _MOMENTS and name not in counters]
    rest = _VARIABLE.sub("", pattern)
    if unknown:
        known = "Use {number}, {number:06} for six digits, {year} and {month}."
        return f"{{{unknown[0]}}} means nothing here. {known}"
    if len(counters) != 1:
        return f"Give {{number}} exactly once, for example {EXAMPLE}."
    if _digits(counters[0]) > MOST_DIGITS:
        return f"Give at most {MOST_DIGITS} digits to {{number}}."
    if not _PLAIN.fullmatch(rest):
        return "Beside the variables use letters from A to Z, digits, and the characters . _ / - only."
    if len(rest) + 4 * names.count("year") + 2 * names.count("month") + MOST_DIGITS > LONGEST:
        return f"It is too long: a number may have {LONGEST} characters."
    return ""


def _digits(counter: str) -> int:
    found = _COUNTER.fullmatch(counter)
    return int(found[1]) if found and found[1] else 1
