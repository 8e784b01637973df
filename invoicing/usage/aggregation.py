"""How much was used? Any number of windows, answered with the same three queries.

Each stream (each combination of primary-label values) is aggregated on its own; streams are then added up.
The statements are in ``statements.py``.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from django.db import connection

from customers.errors import Conflict
from invoicing.catalog.models import Aggregation, DataType, Meter
from invoicing.usage.statements import EVENTS, LEVELS
from invoicing.usage.values import NO_USAGE, Days, Usage, Window, added_up

__all__ = ["NO_USAGE", "Usage", "Window", "usage_of"]


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


class MeasurementsDropped(Conflict):
    """What is asked for cannot be told from whole days."""

    def __init__(self) -> None:
        super().__init__(
            "The measurements of that time were dropped after they were invoiced, and only what each day of the "
            "vendor's time zone came to is kept: ask for whole days."
        )


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
    stream: str | None
    quantity: Decimal
    first: datetime
    last: datetime
    measurements: int
    origin: date | None
    days: str | None


def _ask(sql: str, windows: Sequence[Window], meters: Mapping[int, _Meter]) -> dict[Hashable, Usage]:
    units = [_unit(window, meters) for window in windows]
    columns: list[Iterable[Any]] = [
        range(len(windows)),
        [window.customer_id for window in windows],
        [window.meter_id for window in windows],
        [window.start.isoformat() for window in windows],
        [window.end.isoformat() for window in windows],
        [window.zone for window in windows],
        [window.aggregation for window in windows],
        ["" if window.watermark is None else window.watermark for window in windows],
        ["t" if window.by_stream else "f" for window in windows],
        [unit.numerator if unit else "" for unit in units],
        [unit.denominator if unit else "" for unit in units],
    ]
    with connection.cursor() as cursor:
        # As texts: thousands of values one by one cost more than their answers.
        cursor.execute(sql, [",".join(map(str, column)) for column in columns])
        rows = [_Row(*row) for row in cursor.fetchall()]
    if any(row.stream is None for row in rows):
        raise MeasurementsDropped
    streams: dict[int, dict[tuple[str, ...], Usage]] = {}
    for row in rows:
        usage = Usage(row.quantity, row.first, row.last, row.measurements, Days(row.origin, row.days))
        streams.setdefault(row.number, {})[tuple(json.loads(row.stream or "[]"))] = usage
    return {windows[number].key: _all(parts, windows[number]) for number, parts in streams.items()}


def _all(streams: dict[tuple[str, ...], Usage], window: Window) -> Usage:
    if not window.by_stream:
        return streams[()]
    return replace(added_up(streams.values()), streams=streams)


def _unit(window: Window, meters: Mapping[int, _Meter]) -> Fraction | None:
    """What is weighted by time comes in units of some time."""
    weighted = window.meter_id in meters and _aggregation(window, meters) == Aggregation.TIME_WEIGHTED_SUM
    return window.unit_seconds if weighted else None
