"""How much was used? Any number of windows, answered with the same three queries.

Each stream (each combination of primary-label values) is aggregated on its own; streams are then added up.
The statements are in ``statements.py``.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from django.db import connection

from invoicing.catalog.models import Aggregation, DataType, Meter
from invoicing.usage.statements import EVENTS, LEVELS
from invoicing.usage.values import NO_USAGE, DayUsage, Usage, Window, added_up

__all__ = ["NO_USAGE", "Usage", "Window", "usage_of"]

_FINEST = Decimal("1e-12")
# More digits than any quotient needs to be told from the half between two steps.
_EXACT = Context(prec=120, rounding=ROUND_HALF_UP)


def usage_of(windows: Sequence[Window]) -> dict[Hashable, Usage]:
    """By the windows' keys; a window without measurements has ``NO_USAGE``."""
    meters = _meters({window.meter_id for window in windows})
    found: dict[Hashable, Usage] = {window.key: NO_USAGE for window in windows}
    for sql, part in (
        (EVENTS, [window for window in windows if not _is_level(window, meters)]),
        (LEVELS, [window for window in windows if _is_level(window, meters)]),
    ):
        if part:
            found.update(_ask(sql, part, meters))
    return found


class _Meter(NamedTuple):
    data_type: str
    aggregation: str


def _meters(ids: Iterable[int]) -> dict[int, _Meter]:
    rows = Meter.objects.filter(pk__in=ids).values_list("pk", "data_type", "aggregation")
    return {pk: _Meter(data_type, aggregation) for pk, data_type, aggregation in rows}


def _aggregation(window: Window, meters: Mapping[int, _Meter]) -> str:
    return window.aggregation or meters[window.meter_id].aggregation


def _is_level(window: Window, meters: Mapping[int, _Meter]) -> bool:
    """Whether its value depends on the order in time."""
    if window.meter_id not in meters:
        return False
    is_continuous = meters[window.meter_id].data_type == DataType.CONTINUOUS
    return is_continuous or _aggregation(window, meters) == Aggregation.LATEST


class _Row(NamedTuple):
    """One stream's answer, or that of all streams together."""

    number: int
    stream: str
    quantity: Decimal
    first: datetime
    last: datetime
    measurements: int
    days: Sequence[date] | None
    quantities: Sequence[Decimal]
    counts: Sequence[int]


def _ask(sql: str, windows: Sequence[Window], meters: Mapping[int, _Meter]) -> dict[Hashable, Usage]:
    columns: list[list[Any]] = [
        list(range(len(windows))),
        [window.customer_id for window in windows],
        [window.meter_id for window in windows],
        [window.start for window in windows],
        [window.end for window in windows],
        [window.zone for window in windows],
        [window.aggregation for window in windows],
        [window.watermark for window in windows],
        [window.by_stream for window in windows],
    ]
    with connection.cursor() as cursor:
        cursor.execute(sql, columns)
        rows = [_Row(*row) for row in cursor.fetchall()]
    streams: dict[int, dict[tuple[str, ...], Usage]] = {}
    for row in rows:
        window = windows[row.number]
        weighted = _aggregation(window, meters) == Aggregation.TIME_WEIGHTED_SUM
        usage = _usage(row, window.unit_seconds if weighted else Fraction(1))
        streams.setdefault(row.number, {})[tuple(json.loads(row.stream or "[]"))] = usage
    return {windows[number].key: _all(parts, windows[number]) for number, parts in streams.items()}


def _all(streams: dict[tuple[str, ...], Usage], window: Window) -> Usage:
    if not window.by_stream:
        return streams[()]
    return replace(added_up(streams.values()), streams=streams)


def _usage(row: _Row, unit: Fraction) -> Usage:
    days = zip(row.days or (), row.quantities or (), row.counts or (), strict=True)
    listed = tuple(DayUsage(day, _in_units(quantity, unit), count) for day, quantity, count in days)
    return Usage(_in_units(row.quantity, unit), row.first, row.last, row.measurements, listed)


def _in_units(quantity: Decimal, unit: Fraction) -> Decimal:
    """With 12 decimals, half up."""
    if unit != 1:
        quantity = _EXACT.divide(_EXACT.multiply(quantity, unit.denominator), unit.numerator)
    elif quantity.as_tuple().exponent >= -12:  # type: ignore[operator]
        return quantity
    return quantity.quantize(_FINEST, context=_EXACT)
