"""Pages of a long list by position, not by number: as fast on the last page as on the first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from django.db.models import Model, Q, QuerySet

M = TypeVar("M", bound=Model)

PAGE_SIZE = 25
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Page(Generic[M]):
    """``newer`` and ``older`` are the positions to ask for next; empty where there is nothing more."""

    rows: list[M]
    newer: str = ""
    older: str = ""


def newest_first(
    rows: QuerySet[M], moment: str, *, before: str = "", after: str = "", size: int = PAGE_SIZE, number: bool = False
) -> Page[M]:
    """One page of ``rows`` by ``moment`` and id. A position that makes no sense shows the first page.

    ``before`` asks for rows older than a position, ``after`` for newer ones. ``number``: by a number, largest first.
    """
    position, upwards = (_parse(after, number), True) if after else (_parse(before, number), False)
    if position is None:
        upwards = False
    else:
        rows = rows.filter(_beyond(moment, position, upwards))
    order = (moment, "pk") if upwards else (f"-{moment}", "-pk")
    found = list(rows.order_by(*order)[: size + 1])
    more, found = len(found) > size, found[:size]
    if upwards:
        found.reverse()
    has_newer, has_older = (more, True) if upwards else (position is not None, more)
    return Page(
        found,
        newer=_position(found[0], moment) if found and has_newer else "",
        older=_position(found[-1], moment) if found and has_older else "",
    )


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


def _beyond(moment: str, position: tuple[datetime | int, int], upwards: bool) -> Q:
    at, pk = position
    side = "gt" if upwards else "lt"
    return Q(**{f"{moment}__{side}": at}) | Q(**{moment: at, f"pk__{side}": pk})


def _position(row: Model, moment: str) -> str:
    value = getattr(row, moment)
    place = value if isinstance(value, int) else (value - EPOCH) // timedelta(microseconds=1)
    return f"{place}_{row.pk}"


def _parse(text: str, number: bool) -> tuple[datetime | int, int] | None:
    at, _, pk = text.partition("_")
    if max(len(at), len(pk)) > 18:
        return None
    try:
        return int(at) if number else EPOCH + timedelta(microseconds=int(at)), int(pk)
    except (ValueError, OverflowError):
        return None
