"""Pages of a long list by position, not by number: as fast on the last page as on the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from django.db.models import DateTimeField, F, Func, IntegerField, Model, QuerySet, Value
from django.db.models.lookups import GreaterThan, LessThan

M = TypeVar("M", bound=Model)

PAGE_SIZE = 25
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Page(Generic[M]):
    """``newer`` and ``older`` are the positions to ask for next; empty where there is nothing more."""

    rows: list[M]
    newer: str = ""
    older: str = ""


@dataclass(frozen=True)
class Order:
    """What a list goes by; the id decides between equals. ``falling``: largest, or latest, first."""

    moment: str
    falling: bool = True
    number: bool = False
    """``moment`` names a number."""
    rank: str = ""
    """A number that goes before ``moment``."""

    @property
    def keys(self) -> list[str]:
        return [self.rank, self.moment, "pk"] if self.rank else [self.moment, "pk"]

    def names(self, falling: bool) -> list[str]:
        return [f"-{key}" if falling else key for key in self.keys]

    def is_moment(self, key: str) -> bool:
        return key == self.moment and not self.number


class RowOf(Func):
    """Several values compared together, which one index answers: (a, b) < (x, y)."""

    function = "ROW"
    output_field = IntegerField()


def paged(rows: QuerySet[M], order: Order, asked: Mapping[str, str], size: int = PAGE_SIZE) -> Page[M]:
    """The page that ``asked`` names: ``before`` a position goes on, ``after`` one goes back. A position that makes no
    sense shows the first page."""
    after = asked.get("after", "")
    position, back = _parse(after or asked.get("before", ""), order), bool(after)
    if position is None:
        back = False
    else:
        rows = rows.filter(_beyond(order, position, falls=order.falling is not back))
    found = list(rows.order_by(*order.names(order.falling is not back))[: size + 1])
    more, found = len(found) > size, found[:size]
    if back:
        found.reverse()
    has_newer, has_older = (more, True) if back else (position is not None, more)
    return Page(
        found,
        newer=_position(found[0], order) if found and has_newer else "",
        older=_position(found[-1], order) if found and has_older else "",
    )


def newest_first(
    rows: QuerySet[M], moment: str, *, before: str = "", after: str = "", size: int = PAGE_SIZE, number: bool = False
) -> Page[M]:
    """One page of ``rows`` by ``moment`` and id. ``number``: by a number, largest first."""
    return paged(rows, Order(moment, number=number), {"before": before, "after": after}, size)


def by_number(rows: QuerySet[M], *, before: str = "", after: str = "", size: int = PAGE_SIZE) -> Page[M]:
    """As ``newest_first``, where the id alone says what is newer: one index finds the page."""
    upwards, position = bool(after), after or before
    position = position if position.isascii() and position.isdigit() and len(position) < 19 else ""
    upwards = upwards and bool(position)
    if position:
        rows = rows.filter(**{"pk__gt" if upwards else "pk__lt": int(position)})
    found = list(rows.order_by("pk" if upwards else "-pk")[: size + 1])
    more, found = len(found) > size, found[:size]
    if upwards:
        found.reverse()
    has_newer, has_older = (more, True) if upwards else (bool(position), more)
    return Page(
        found,
        newer=str(found[0].pk) if found and has_newer else "",
        older=str(found[-1].pk) if found and has_older else "",
    )


def _beyond(order: Order, position: Sequence[datetime | int], *, falls: bool) -> Any:
    fields = {key: DateTimeField() if order.is_moment(key) else IntegerField() for key in order.keys}
    here = RowOf(*(F(key) for key in order.keys))
    there = RowOf(*(Value(value, fields[key]) for key, value in zip(order.keys, position, strict=True)))
    return LessThan(here, there) if falls else GreaterThan(here, there)


def _position(row: Model, order: Order) -> str:
    values = [getattr(row, key) for key in order.keys]
    places = [value if isinstance(value, int) else (value - EPOCH) // timedelta(microseconds=1) for value in values]
    return "_".join(str(place) for place in places)


def _parse(text: str, order: Order) -> list[datetime | int] | None:
    parts = text.split("_")
    if len(parts) != len(order.keys) or max(map(len, parts)) > 18:
        return None
    try:
        numbers = [int(part) for part in parts]
        return [
            EPOCH + timedelta(microseconds=number) if order.is_moment(key) else number
            for key, number in zip(order.keys, numbers, strict=True)
        ]
    except (ValueError, OverflowError):
        return None
