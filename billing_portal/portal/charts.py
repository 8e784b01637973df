"""Charts as SVG that the server draws: the geometry here, the picture in ``portal/desk/_chart.html``.

Each has a title and a description for those who hear it, and the same figures as a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from babel.numbers import format_compact_currency

from customers.money import DEFAULT_LOCALE, format_money, to_major

WIDTH, HEIGHT = 480, 190
LEFT, RIGHT, TOP, BOTTOM = 58, 6, 12, 28
LINES = 4
GAP = 0.3
"""Of a group's place, what stays empty."""


@dataclass(frozen=True)
class Series:
    """``tone`` names its colour."""

    name: str
    tone: str
    values: Sequence[int]


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    tone: str
    text: str


@dataclass(frozen=True)
class Label:
    x: float
    y: float
    text: str


@dataclass(frozen=True)
class BarChart:
    """Amounts of one currency, minor units, a group of bars for each label."""

    key: str
    title: str
    currency: str
    head: str
    labels: Sequence[str]
    series: Sequence[Series]
    width: int = field(default=WIDTH, init=False)
    height: int = field(default=HEIGHT, init=False)
    left: int = field(default=LEFT, init=False)
    right: int = field(default=WIDTH - RIGHT, init=False)

    @property
    def largest(self) -> int:
        return max((value for series in self.series for value in series.values), default=0)

    @property
    def top(self) -> int:
        """The highest line: a round number that nothing is above."""
        return round_up(-(-self.largest // LINES)) * LINES

    @property
    def description(self) -> str:
        """What the picture shows, in a sentence a series."""
        return " ".join(self._told(series) for series in self.series)

    def _told(self, series: Series) -> str:
        total, most = sum(series.values), max(series.values, default=0)
        if not most:
            return f"{series.name}: nothing."
        where = self.labels[series.values.index(most)]
        return f"{series.name}: {self._money(total)} in all, most of it {where} with {self._money(most)}."

    @property
    def bars(self) -> list[Bar]:
        place = (WIDTH - LEFT - RIGHT) / max(len(self.labels), 1)
        width = place * (1 - GAP) / len(self.series)
        return [
            self._bar(series, at, LEFT + at * place + place * GAP / 2 + number * width, width)
            for number, series in enumerate(self.series)
            for at in range(len(self.labels))
            if series.values[at] > 0
        ]

    def _bar(self, series: Series, at: int, x: float, width: float) -> Bar:
        value = series.values[at]
        height = max(value / self.top * (HEIGHT - TOP - BOTTOM), 1.0)
        text = f"{self.labels[at]}: {series.name} {self._money(value)}"
        y = HEIGHT - BOTTOM - height
        return Bar(round(x, 1), round(y, 1), round(width - 1, 1), round(height, 1), series.tone, text)

    @property
    def lines(self) -> list[Label]:
        step = (HEIGHT - TOP - BOTTOM) / LINES
        values = [self.top // LINES * number for number in range(LINES + 1)]
        return [Label(LEFT - 8, round(HEIGHT - BOTTOM - n * step, 1), self._short(v)) for n, v in enumerate(values)]

    @property
    def marks(self) -> list[Label]:
        """Below the groups; where they stand close, below every second one."""
        place = (WIDTH - LEFT - RIGHT) / max(len(self.labels), 1)
        every = 1 if place > 58 else 2
        return [
            Label(round(LEFT + (at + 0.5) * place, 1), HEIGHT - 8, text)
            for at, text in enumerate(self.labels)
            if (len(self.labels) - 1 - at) % every == 0
        ]

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        return [(text, [self._money(s.values[at]) for s in self.series]) for at, text in enumerate(self.labels)]

    def _money(self, minor: int) -> str:
        return format_money(minor, self.currency)

    def _short(self, minor: int) -> str:
        """$12.5K"""
        major = to_major(minor, self.currency)
        digits = 2 if 0 < major < 10 and major % 1 else 1
        text: str = format_compact_currency(major, self.currency, locale=DEFAULT_LOCALE, fraction_digits=digits)
        return text


def round_up(value: int) -> int:
    """The next of 1, 2, 2.5 and 5 times a power of ten."""
    if value <= 1:
        return 1
    power: int = 10 ** (len(str(value - 1)) - 1)
    steps = (step * power // 10 for step in (10, 20, 25, 50, 100) if step * power % 10 == 0)
    return next(step for step in steps if step >= value)
