"""Price lists: prices by the values of a meter's primary labels, given as JSON rows or as CSV text.

A JSON row has one key for each label and ``prices``; the CSV has one column for each label and one named ``prices``.
Prices are ``[{"price": 900, "cap": 10}, {"price": 800}]``, in the CSV also ``price=900``. An empty or missing label
stands for any value.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from customers.errors import Invalid

PRICES = "prices"
MOST_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class ListRow:
    """``labels`` as pairs in the order of the meter's; ``prices`` as they are given for a scheme."""

    at: str
    labels: tuple[tuple[str, str], ...]
    prices: Sequence[Mapping[str, Any]]


def read_rows(given: Any, keys: Sequence[str], at: str) -> list[ListRow]:
    """``keys`` are the meter's primary labels. Raises ``Invalid`` naming the row."""
    if not keys:
        raise Invalid({at: "A price list goes by primary labels, and the meter has none: give 'prices' instead."})
    rows = _from_csv(given, at) if isinstance(given, str) else given
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise Invalid({at: "Give a list of rows such as {'region': 'eu', 'prices': [{'price': 900}]}, or CSV text."})
    if len(rows) > MOST_ROWS:
        raise Invalid({at: f"At most {MOST_ROWS:,} rows; these are {len(rows):,}."})
    found = [_row(row, keys, f"{at}.{place}") for place, row in enumerate(rows)]
    seen: dict[tuple[tuple[str, str], ...], str] = {}
    for row in found:
        if row.labels in seen:
            raise Invalid({row.at: f"The same labels as in {seen[row.labels]}: give each combination once."})
        seen[row.labels] = row.at
    return found


def _from_csv(text: str, at: str) -> list[Mapping[str, Any]]:
    reader = csv.DictReader(io.StringIO(text.strip().removeprefix("\ufeff")), skipinitialspace=True)
    if PRICES not in (reader.fieldnames or ()):
        raise Invalid({at: "The first line of the CSV names its columns: one for each label, and 'prices'."})
    found: list[Mapping[str, Any]] = []
    for place, row in enumerate(reader):
        if None in row or None in row.values():
            raise Invalid({f"{at}.{place}": "This row has more or fewer columns than the first line."})
        found.append({**row, PRICES: prices_of(row[PRICES] or "", f"{at}.{place}.{PRICES}")})
    return found


def prices_of(cell: str, at: str) -> list[Any]:
    """A cell of the CSV."""
    name, equals, price = cell.partition("=")
    if equals and name.strip() == "price":
        return [{"price": price.strip()}]
    try:
        found = json.loads(cell)
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, list):
        raise Invalid({at: f"{cell[:80]!r} is neither like price=900 nor a JSON list of prices and caps."})
    return found


def _row(row: Mapping[str, Any], keys: Sequence[str], at: str) -> ListRow:
    prices = row.get(PRICES)
    if not isinstance(prices, list) or not all(isinstance(price, Mapping) for price in prices):
        raise Invalid({f"{at}.{PRICES}": "Give a list of prices: [{'price': 900}]."})
    for name, value in row.items():
        if name != PRICES and name not in keys:
            raise Invalid({f"{at}.{name}": f"The meter has no such primary label. It has: {', '.join(keys)}."})
        if name != PRICES and value is not None and not isinstance(value, str):
            raise Invalid({f"{at}.{name}": "The value of a label is text: write it in quotes."})
    return ListRow(at, tuple((key, row[key]) for key in keys if row.get(key)), prices)
