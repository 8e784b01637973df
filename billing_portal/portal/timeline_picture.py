"""The example cycle as a picture: a numbered mark for each step, and between them how long it takes.

Drawn by the server, so that a page needs no script for it. The distances grow with the square root of the time:
an hour and a month are both seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing_portal.portal import words
from billing_portal.portal.example_cycle import Step, day_and_time, example_sentence

WIDTH, MARGIN, LEAST_GAP, ROOMY_GAP = 260, 18, 28, 40
BASELINE, FIRST_LINE, SECOND_LINE = 26, 50, 63


@dataclass(frozen=True)
class Mark:
    """``label`` is the day; empty where nobody can say when."""

    number: int
    x: int
    label: str
    label_y: int


@dataclass(frozen=True)
class Stretch:
    """From one mark to the next; dashed where it takes as long as it takes."""

    x1: int
    x2: int
    label: str
    is_open: bool

    @property
    def middle(self) -> int:
        return (self.x1 + self.x2) // 2


@dataclass(frozen=True)
class Tick:
    """One of several tries, of which the last has a mark."""

    x: int
    label: str


@dataclass(frozen=True)
class Picture:
    told: str
    marks: Sequence[Mark]
    stretches: Sequence[Stretch]
    ticks: Sequence[Tick]
    width: int = WIDTH
    height: int = SECOND_LINE + 6
    baseline: int = BASELINE


def picture_of(steps: Sequence[Step]) -> Picture:
    spans = [_between(one.moment, other.moment) for one, other in zip(steps, steps[1:], strict=False)]
    places = _places(spans)
    is_tight = any(right - left < ROOMY_GAP for left, right in zip(places, places[1:], strict=False))
    marks = [
        Mark(n + 1, x, _day(step.moment, is_first=n == 0), SECOND_LINE if is_tight and n % 2 else FIRST_LINE)
        for n, (step, x) in enumerate(zip(steps, places, strict=True))
    ]
    stretches = [
        Stretch(left, right, _brief(span), span is None)
        for left, right, span in zip(places, places[1:], spans, strict=False)
    ]
    return Picture(example_sentence(steps), marks, stretches, _ticks(steps, places))


def _ticks(steps: Sequence[Step], places: Sequence[int]) -> list[Tick]:
    """Each where its time is between the marks around it."""
    known = [(step.moment, x) for step, x in zip(steps, places, strict=True) if step.moment]
    tries = [(n + 1, at) for step in steps for n, at in enumerate(step.tries)]
    return [Tick(_place(at, known), f"Try {n}: {day_and_time(at)}") for n, at in tries]


def _place(at: datetime, known: Sequence[tuple[datetime, int]]) -> int:
    for (start, left), (end, right) in zip(known, known[1:], strict=False):
        if start <= at < end:
            return round(left + (right - left) * ((at - start) / (end - start)))
    return known[-1][1]


def _between(one: datetime | None, other: datetime | None) -> timedelta | None:
    return other - one if one and other else None


def _places(spans: Sequence[timedelta | None]) -> list[int]:
    """Where the marks stand: each has room for its number, and what is left goes by the time between them."""
    roots = [span.total_seconds() ** 0.5 if span else 0.0 for span in spans]
    free = WIDTH - 2 * MARGIN - LEAST_GAP * len(spans)
    places, whole = [float(MARGIN)], sum(roots)
    for root in roots:
        share = root / whole if whole else 1 / len(spans)
        places.append(places[-1] + LEAST_GAP + free * share)
    return [round(place) for place in places]


def _day(moment: datetime | None, *, is_first: bool) -> str:
    """The cycle ends with its last day."""
    if moment is None:
        return ""
    return words.day_of_month(moment - timedelta(microseconds=1) if is_first else moment)


def _brief(span: timedelta | None) -> str:
    """3 d, 1 h, 30 min."""
    minutes = int(span.total_seconds() // 60) if span else 0
    for size, unit in ((1440, "d"), (60, "h"), (1, "min")):
        if minutes >= size:
            return f"{round(minutes / size)} {unit}"
    return ""
