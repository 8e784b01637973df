"""What stands in the larger boxes, one thing a line: features, their limits, usage limits by label, add-ons."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from customers.errors import Invalid


def read_features(text: str) -> list[dict[str, str]]:
    """``sso | Single sign-on | For all of the team``: name, display name, description."""
    found = []
    for line in _lines(text):
        name, display_name, description = [*(part.strip() for part in line.split("|", 2)), "", ""][:3]
        found.append({"name": name, "display_name": display_name, "description": description})
    return found


def write_features(features: Iterable[Mapping[str, str]]) -> str:
    rows = ([one["name"], one["display_name"], one["description"]] for one in features)
    return "\n".join(" | ".join(row).rstrip(" |") for row in rows)


def read_limits(text: str) -> list[dict[str, Any]]:
    """``projects = 10``. Raises ``Invalid`` naming the line."""
    found = []
    for place, line in enumerate(_lines(text)):
        name, _, limit = line.rpartition("=")
        found.append({"feature": {"name": name.strip()}, "limit": _number(limit, f"limits.{place}")})
    return found


def write_limits(limits: Iterable[Mapping[str, str]]) -> str:
    return "\n".join(f"{one['feature']} = {one['limit']}" for one in limits)


def read_add_ons(text: str, at: str) -> list[tuple[str, Decimal, str]]:
    """``seats = 5``, ``seats = 5 at 9.00`` or just ``seats``: name, quantity, price of its own. Raises ``Invalid``."""
    found = []
    for place, line in enumerate(_lines(text)):
        name, _, rest = line.partition("=")
        quantity, _, price = rest.partition(" at ")
        number = _number(quantity, f"{at}.{place}") if quantity.strip() else Decimal(1)
        found.append((name.strip(), number, price.strip()))
    return found


def read_label_limits(text: str, at: str) -> list[dict[str, Any]]:
    """``region=eu, zone=a: 1000``. Raises ``Invalid`` naming the line."""
    found = []
    for place, line in enumerate(_lines(text)):
        labels, _, limit = line.rpartition(":")
        pairs = (pair.partition("=") for pair in labels.split(",") if pair.strip())
        named = {name.strip(): value.strip() for name, _, value in pairs}
        found.append({"labels": named, "limit": _number(limit, f"{at}.{place}")})
    return found


def write_label_limits(rows: Iterable[Mapping[str, Any]]) -> str:
    return "\n".join(f"{write_labels(row['labels'])}: {row['limit']}" for row in rows)


def read_labels(text: str) -> dict[str, str]:
    """``region=eu, zone=a``"""
    pairs = (pair.partition("=") for pair in text.split(",") if pair.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


def write_labels(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in labels.items())


def write_price_list(rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> str:
    """As CSV, which is read again as it is."""
    if not rows:
        return ""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([*keys, "prices"])
    for row in rows:
        writer.writerow([*(row["labels"].get(key, "") for key in keys), _cell(row["prices"])])
    return written.getvalue()


def _cell(prices: Sequence[Mapping[str, Any]]) -> str:
    only = prices[0]
    if len(prices) == 1 and only["cap"] is None and not only["description"]:
        return f"price={only['price']}"
    return json.dumps([{name: value for name, value in price.items() if value not in (None, "")} for price in prices])


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _number(text: str, at: str) -> Decimal:
    try:
        number = Decimal(text.strip().replace(",", ""))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise Invalid({at: f"{text.strip()!r} is not a number. Write one a line, the number at its end."})
    return number
