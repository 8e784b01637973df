"""Measurements as a CSV file: received to disk, then read, checked and written a thousand rows at a time.

The first row names the columns: those of a measurement, and ``labels.region`` for each label. An empty cell counts as
left out. Rows are numbered as a spreadsheet shows them: the one with the names is row 1.
"""

from __future__ import annotations

import csv
import hashlib
import io
import weakref
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from customers.errors import Invalid
from invoicing.usage.readings import FIELDS

MOST_BYTES = 64 * 1024 * 1024
AT_ONCE = 1_000
LABEL = "labels."

_BLOCK = 64 * 1024
_IN_MEMORY = 1024 * 1024
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_COLUMNS = FIELDS - {"labels"}

Row = tuple[str, Mapping[str, Any]]


class CsvUpload:
    """What was sent, on disk where it is more than a megabyte. As a text it is its fingerprint."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed with this object
        weakref.finalize(self, self._file.close)
        found = hashlib.sha256()
        while block := stream.read(_BLOCK):
            found.update(block)
            self._file.write(block)
            if self._file.tell() > MOST_BYTES:
                raise Invalid({"body": f"A file may have {MOST_BYTES // 2**20} MB. Send the rows in several files."})
        self._digest = found.hexdigest()

    def __str__(self) -> str:
        return self._digest

    def chunks(self) -> Iterator[list[Row]]:
        """Rows with their places, such as ``row 2``. Raises ``Invalid``."""
        self._file.seek(0)
        text = io.TextIOWrapper(self._file, encoding="utf-8-sig", newline="")
        try:
            rows = _rows(text)
            while chunk := list(islice(rows, AT_ONCE)):
                yield chunk
        except UnicodeDecodeError:
            raise Invalid({"body": "The file is not text in UTF-8: save it as 'CSV UTF-8'."}) from None
        finally:
            text.detach()


def _rows(text: IO[str]) -> Iterator[Row]:
    reader = csv.reader(text, strict=True)
    number = 0
    try:
        names: list[str] = []
        for number, cells in enumerate(reader, start=1):
            if number == 1:
                names = _names(cells)
            elif cells:
                yield f"row {number}", _item(names, cells, number)
    except csv.Error as error:
        raise Invalid({f"row {number + 1}": f"This is not CSV: {error}."}) from None
    if not number:
        raise Invalid({"body": "The file is empty. Its first row names the columns, for example meter_name,value."})


def _names(cells: Sequence[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    for name in names:
        if name not in _COLUMNS and not (name.startswith(LABEL) and name != LABEL):
            known = f"{', '.join(sorted(_COLUMNS))}, and {LABEL}KEY for each label"
            raise Invalid({"row 1": f"There is no column {name[:80]!r}. Known: {known}."})
        if names.count(name) > 1:
            raise Invalid({"row 1": f"The column {name!r} is there twice."})
    return names


def _item(names: Sequence[str], cells: Sequence[str], number: int) -> dict[str, Any]:
    """As the same would be sent as JSON."""
    if len(cells) != len(names):
        raise Invalid({f"row {number}": f"It has {len(cells)} cells, and row 1 names {len(names)} columns."})
    if any("\0" in cell for cell in cells):
        raise Invalid({f"row {number}": "It contains a character that is not text (NUL)."})
    given = {name: cell.strip() for name, cell in zip(names, cells, strict=True) if cell.strip()}
    item: dict[str, Any] = {name: value for name, value in given.items() if not name.startswith(LABEL)}
    item["labels"] = {name.removeprefix(LABEL): value for name, value in given.items() if name.startswith(LABEL)}
    if "reset_total" in item:
        item["reset_total"] = _FLAGS.get(item["reset_total"].lower(), item["reset_total"])
    return item
