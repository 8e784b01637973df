"""Single values: as JSON, as a form carries them, and as Python gives them to the SDK."""

from __future__ import annotations

import datetime as _dt
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_INT = re.compile(r"-?\d+\Z")
_PLAIN_NUMBER = re.compile(r"-?\d+(\.\d+)?\Z")
_EXPONENT = re.compile(r"-?\d+(\.\d+)?[eE][+-]?\d+\Z")


def kind_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"boolean {value}"
    if isinstance(value, str):
        return f"string {value[:40]!r}"
    if isinstance(value, Mapping):
        return "a hash"
    if isinstance(value, (list, tuple)):
        return "a list"
    return f"{type(value).__name__} {value!r}"[:60]


def scalar_json(value: Any, tp: Any) -> str | None:
    if tp is str:
        good = isinstance(value, str)
    elif tp is bool:
        good = isinstance(value, bool)
    elif tp is int:
        good = isinstance(value, int) and not isinstance(value, bool)
    elif tp is float:
        good = isinstance(value, (int, float)) and not isinstance(value, bool)
    elif tp is Decimal:
        if isinstance(value, str):
            good = bool(_PLAIN_NUMBER.match(value))
        else:
            return f"{kind_of(value)}, expected a decimal sent as a string"
    else:
        return None
    return None if good else f"{kind_of(value)}, expected {tp.__name__}"


def scalar_wire(value: Any, tp: Any) -> str | None:
    if not isinstance(value, str):
        return f"{kind_of(value)}, expected {getattr(tp, '__name__', tp)}"
    if tp is str:
        return None
    if tp not in (int, float, bool, Decimal):
        return None
    if value == "":
        return f"empty string: this {tp.__name__} parameter cannot be unset"
    if tp is bool:
        if value in ("true", "false"):
            return None
        return f"{value!r}, booleans are sent as true or false"
    if tp is int:
        return None if _INT.match(value) else f"{value!r}, expected an integer"
    if _EXPONENT.match(value):
        return f"{value!r}, exponent notation is not a plain decimal"
    if not _PLAIN_NUMBER.match(value):
        return f"{value!r}, expected a decimal number"
    if tp is Decimal and "." in value and len(value.split(".")[1]) > 12:
        return f"{value!r}, more than 12 decimal places"
    return None


def scalar_native(value: Any, tp: Any) -> str | None:
    if tp is str:
        return f"{kind_of(value)}, expected str"
    if tp is bool:
        return None if isinstance(value, bool) else f"{kind_of(value)}, expected bool"
    if tp is int:
        if isinstance(value, _dt.datetime):
            if value.tzinfo is None:
                return "naive datetime: the SDK reads it in the server's local zone"
            return None
        good = isinstance(value, int) and not isinstance(value, bool)
        return None if good else f"{kind_of(value)}, expected int"
    if tp is float:
        good = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
        return None if good else f"{kind_of(value)}, expected a number"
    if tp is Decimal:
        if isinstance(value, float):
            return f"{kind_of(value)}, a binary float where a Decimal is expected"
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            return f"{kind_of(value)}, expected Decimal"
        return scalar_wire(str(value), Decimal)
    return None
