"""Bar charts, drawn on the server: numbers in, places in an SVG out.

Across, places are percentages, so that a chart is as wide as its card and its texts keep their size; downwards they
are pixels. The template adds the same numbers as a table, for those who do not see the bars. ``{% chart bars %}``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

HEIGHT, TOP, BOTTOM = 200, 12, 26
_WIDTH_OF_GROUP = 68.0
_LINES = 4
_LABELS, _LABELS_ON_A_PHONE = 8, 5

Value = int | Decimal


@dataclass(frozen=True)
class Series:
    """One colour: a value for each label."""

    name: str
    values: Sequence[Value]


@dataclass(frozen=True)
class Mark:
    """A line across at a value: a limit."""

    name: str
    value: Value


@dataclass(frozen=True)
class Bars:
    """What is to be seen. ``title`` says it in a sentence; ``written`` puts a value into words, with its currency or
    unit; ``short`` does so beside the scale, where there is little room. ``labels`` are short: 12 Oct. ``of`` heads
    their column of the table: Week of."""

    title: str
    of: str
    labels: Sequence[str]
    series: Sequence[Series]
    written: Callable[[Value], str] = str
    short: Callable[[Value], str] | None = None
    marks: Sequence[Mark] = ()

    @property
    def is_empty(self) -> bool:
        return not any(value for series in self.series for value in series.values)


@dataclass(frozen=True)
class Bar:
    x: str
    width: str
    y: str
    height: str
    tone: int
    text: str


@dataclass(frozen=True)
class Line:
    y: str
    text: str


@dataclass(frozen=True)
class Label:
    x: str
    text: str
    on_a_phone: bool


@dataclass(frozen=True)
class Drawing:
    bars: Sequence[Bar]
    lines: Sequence[Line]
    marks: Sequence[Line]
    labels: Sequence[Label]
    zero: str
    height: int = HEIGHT


@dataclass(frozen=True)
class Scale:
    """From the lowest line to the highest."""

    low: Decimal
    high: Decimal
    step: Decimal

    def y(self, value: Value) -> float:
        share = float((self.high - Decimal(value)) / (self.high - self.low))
        return TOP + share * (HEIGHT - TOP - BOTTOM)

    @property
    def lines(self) -> list[Decimal]:
        count = int((self.high - self.low) / self.step)
        return [self.low + self.step * place for place in range(count + 1)]


def draw(chart: Bars) -> Drawing:
    values = [Decimal(value) for series in chart.series for value in series.values]
    scale = scale_for([*values, *(Decimal(mark.value) for mark in chart.marks)])
    short = chart.short or chart.written
    return Drawing(
        bars=[bar for place in range(len(chart.labels)) for bar in _group(chart, scale, place)],
        lines=[Line(_px(scale.y(value)), short(value)) for value in scale.lines],
        marks=[Line(_px(scale.y(mark.value)), f"{mark.name}: {chart.written(mark.value)}") for mark in chart.marks],
        labels=_labels(chart.labels),
        zero=_px(scale.y(0)),
    )


def scale_for(values: Sequence[Decimal]) -> Scale:
    """Round numbers from below the least to above the greatest, with nothing always among them."""
    low, high = min([Decimal(0), *values]), max([Decimal(0), *values])
    if low == high:
        return Scale(Decimal(0), Decimal(1), Decimal(1))
    step = _round_step((high - low) / _LINES)
    bottom = (low / step).to_integral_value(ROUND_FLOOR) * step
    top = (high / step).to_integral_value(ROUND_CEILING) * step
    return Scale(bottom, top, step)


def _round_step(rough: Decimal) -> Decimal:
    """The next of 1, 2, 2.5, 5, 10 and so on."""
    power = Decimal(1).scaleb(rough.adjusted())
    return next(power * factor for factor in map(Decimal, ("1", "2", "2.5", "5", "10")) if power * factor >= rough)


def _group(chart: Bars, scale: Scale, place: int) -> list[Bar]:
    """The bars of one label, side by side."""
    slot = 100 / len(chart.labels)
    width = slot * _WIDTH_OF_GROUP / 100 / len(chart.series)
    left = slot * place + slot * (100 - _WIDTH_OF_GROUP) / 200
    found = []
    for tone, series in enumerate(chart.series):
        value = series.values[place]
        top, bottom = sorted((scale.y(value), scale.y(0)))
        text = f"{chart.labels[place]}, {series.name}: {chart.written(value)}"
        x = left + width * tone
        found.append(Bar(_percent(x), _percent(width * 0.92), _px(top), _px(bottom - top), tone + 1, text))
    return found


def _labels(labels: Sequence[str]) -> list[Label]:
    """As many as there is room for, evenly; on a phone fewer of them."""
    count = len(labels)
    every, every_on_a_phone = -(-count // _LABELS), -(-count // _LABELS_ON_A_PHONE)
    every_on_a_phone = -(-every_on_a_phone // every) * every if every else 1
    return [
        Label(_percent((place + 0.5) * 100 / count), text, place % every_on_a_phone == 0)
        for place, text in enumerate(labels)
        if place % every == 0
    ]


def rows(chart: Bars) -> list[tuple[str, list[str]]]:
    """The same as a table: each label with its values in words."""
    return [
        (label, [chart.written(series.values[place]) for series in chart.series])
        for place, label in enumerate(chart.labels)
    ]


def compact(value: Value) -> str:
    """12,500 is 12.5k: beside a scale."""
    number = Decimal(value)
    for size, letter in ((Decimal(10**9), "bn"), (Decimal(10**6), "m"), (Decimal(10**3), "k")):
        if abs(number) >= size:
            return f"{_plain(round(number / size, 2))}{letter}"
    return _plain(number)


def _plain(number: Decimal) -> str:
    """Without zeros at the end, and without an exponent."""
    return f"{number.normalize():,f}"


def _percent(number: float) -> str:
    return f"{number:.3f}%"


def _px(number: float) -> str:
    return f"{number:.1f}"
