"""From an uploaded file to rows. Everything that is wrong with the file as a whole is said before anything is kept."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from billing_portal.lists.models import Import, ImportRow
from customers.actors import Actor
from customers.errors import Invalid
from customers.vendor import Vendor

MOST_BYTES = 5 * 1024 * 1024
MOST_ROWS = 20_000
MARKS = (",", ";", "\t")


@dataclass(frozen=True)
class Sheet:
    """``rows`` are pairs of the file's line and its cells by column."""

    columns: list[str]
    rows: list[tuple[int, dict[str, str]]]


def read_sheet(content: bytes, required: Sequence[str]) -> Sheet:
    """Raises ``Invalid`` about ``file``."""
    text = _text(content)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_mark(text), strict=True)
    try:
        columns = [name.strip() for name in next(reader, [])]
        _check_columns(columns, required)
        rows = [(reader.line_num, _row(columns, cells, reader.line_num)) for cells in reader if any(cells)]
    except csv.Error as error:
        raise Invalid({"file": f"Line {reader.line_num} is not proper CSV: {error}."}) from None
    if not rows:
        raise Invalid({"file": "The file has no rows below the names of its columns."})
    if len(rows) > MOST_ROWS:
        raise Invalid({"file": f"At most {MOST_ROWS:,} rows at once; these are {len(rows):,}. Split the file."})
    return Sheet(columns, rows)


def _text(content: bytes) -> str:
    if len(content) > MOST_BYTES:
        raise Invalid({"file": f"At most {MOST_BYTES // 1024 // 1024} MB at once. Split the file."})
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid({"file": "Save the file as CSV in UTF-8; this one is in another encoding."}) from None
    if "\x00" in text:
        raise Invalid({"file": "The file holds characters of code zero: it is not a CSV file."})
    return text


def _mark(text: str) -> str:
    """What separates the cells, by the first line: spreadsheets write semicolons where the comma is a decimal point."""
    first = text.partition("\n")[0]
    return max(MARKS, key=first.count)


def _check_columns(columns: list[str], required: Sequence[str]) -> None:
    missing = [name for name in required if name not in columns]
    if missing:
        raise Invalid({"file": f"The first line names the columns. There has to be: {', '.join(missing)}."})
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise Invalid({"file": f"Two columns have the same name: {', '.join(twice) or 'an empty one'}."})


def _row(columns: list[str], cells: list[str], line: int) -> dict[str, str]:
    if len(cells) != len(columns):
        raise Invalid({"file": f"Line {line} has {len(cells)} cells, but there are {len(columns)} columns."})
    return dict(zip(columns, cells, strict=True))


@transaction.atomic
def keep(
    vendor: Vendor,
    kind: Import.Kind,
    sheet: Sheet,
    *,
    file_name: str,
    actor: Actor,
    real_now: datetime,
    target: Mapping[str, Any] | None = None,
) -> Import:
    """The file as rows, to be checked."""
    made = Import.objects.create(
        vendor=vendor,
        kind=kind,
        file_name=file_name[:255] or "file.csv",
        columns=sheet.columns,
        target=dict(target or {}),
        total=len(sheet.rows),
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_label=actor.label,
        created_at=real_now,
    )
    rows = [ImportRow(of=made, line=line, given=given) for line, given in sheet.rows]
    if kind == Import.Kind.CUSTOMERS:
        _mark_twins(rows)
    ImportRow.objects.bulk_create(rows, batch_size=2000)
    return made


def _mark_twins(rows: Sequence[ImportRow]) -> None:
    """A name stands for one customer, so the second row with it says something else of the same."""
    seen: dict[str, int] = {}
    for row in rows:
        name = row.given["name"].strip()
        if name in seen:
            row.name, row.fate = name[:256], ImportRow.Fate.ERROR
            row.reason = f"The same name as in line {seen[name]}."
        seen.setdefault(name, row.line)
