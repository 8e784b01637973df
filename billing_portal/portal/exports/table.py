"""A list as CSV: columns, cells, and lines that leave as they are read. Nothing holds the whole list."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from django.http import QueryDict

from billing_portal.portal.access import OperatorRequest
from customers.money import to_major

M = TypeVar("M")
R = TypeVar("R", covariant=True)

CHUNK = 1000
# A spreadsheet takes a text that begins so for a formula and carries it out.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
SHIELD = "'"
# Columns that a spreadsheet may read as it likes: nobody but us has written into them.
OURS = (int, Decimal, datetime, date, bool, UUID)


class Rows(Protocol[R]):
    """A query, or what is read like one."""

    def iterator(self, chunk_size: int) -> Iterator[R]: ...


@dataclass(frozen=True)
class Column(Generic[M]):
    """``value`` of a row; of an attribute's name where it is a text, with dots between."""

    title: str
    value: Callable[[M], Any]


@dataclass(frozen=True)
class Export(Generic[M]):
    """``rows`` are those that the list shows for what was asked: its filters, the vendor, the role."""

    name: str
    title: str
    rows: Callable[[OperatorRequest, QueryDict], Rows[M]]
    columns: Sequence[Column[M]]
    filters: Sequence[str] = ()


def of(path: str, title: str = "") -> Column[Any]:
    """The attribute of that path, nothing where the path breaks off."""
    names = path.split(".")

    def value(row: Any) -> Any:
        for name in names:
            row = getattr(row, name, None)
        return row

    return Column(title or names[-1], value)


def money(field: str, currency: str = "currency", title: str = "") -> Column[Any]:
    """Minor units as a decimal number of the currency's main unit; the currency has a column of its own."""
    amount, code = of(field), of(currency)

    def value(row: Any) -> Decimal | None:
        minor = amount.value(row)
        return None if minor is None else to_major(minor, code.value(row))

    return Column(title or field.rpartition(".")[2], value)


def lines(export: Export[M], rows: Rows[M], zone: tzinfo) -> Iterator[bytes]:
    """A byte-order mark, so that spreadsheets take it for UTF-8; the header; and then chunk by chunk, through a cursor
    that the server keeps."""
    yield b"\xef\xbb\xbf" + _text([[column.title for column in export.columns]])
    chunk: list[list[str]] = []
    for row in rows.iterator(chunk_size=CHUNK):
        chunk.append([cell(column.value(row), zone) for column in export.columns])
        if len(chunk) == CHUNK:
            yield _text(chunk)
            chunk = []
    if chunk:
        yield _text(chunk)


def _text(rows: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def cell(value: Any, zone: tzinfo) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat(timespec="seconds")
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, OURS):
        return str(value)
    return shielded(_joined(value))


def _joined(value: Any) -> str:
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False, sort_keys=True) if value else ""
    if isinstance(value, list | tuple):
        return "; ".join(map(str, value))
    return str(value)


def shielded(text: str) -> str:
    """What a spreadsheet would carry out is made a text by the sign that spreadsheets have for it."""
    return f"{SHIELD}{text}" if text.startswith(FORMULA) or is_shielded(text) else text


def is_shielded(text: str) -> bool:
    return text.startswith(SHIELD) and text[1:].startswith((*FORMULA, SHIELD))


def unshielded(text: str) -> str:
    """What was meant by a cell that came back."""
    return text[1:] if is_shielded(text) else text
