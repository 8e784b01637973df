"""What the control API may be told: each order's fields, checked before anything is kept."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from payments.sandbox import faults, webhook_faults

LONGEST_WAIT = 86_400


@dataclass(frozen=True)
class Field:
    """``check`` gives the value back or raises ``ValueError`` with what it must be."""

    check: Callable[[Any], Any]
    default: Any = None
    required: bool = False


def read(given: Any, fields: Mapping[str, Field]) -> dict[str, Any]:
    """Every field's value. Raises ``ValueError`` naming the field and the remedy."""
    if not isinstance(given, dict) or set(given) - set(fields):
        raise ValueError(f"Give a JSON object with some of {', '.join(sorted(fields))}, and nothing else.")
    return {name: _value(name, field, given) for name, field in fields.items()}


def _value(name: str, field: Field, given: Mapping[str, Any]) -> Any:
    if name not in given and not field.required:
        return field.default
    try:
        return field.check(given.get(name))
    except ValueError as error:
        raise ValueError(f"{name} must be {error}.") from error


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 300:
        raise ValueError("text of at most 300 characters")
    return value


def _account(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 64:
        raise ValueError("an account's id, or left out for every account")
    return value


def _method(value: Any) -> str:
    if value not in ("", "GET", "POST", "DELETE"):
        raise ValueError("GET, POST or DELETE, or left out for all")
    return str(value)


def _regex(value: Any) -> str:
    try:
        re.compile(_text(value))
    except re.error as error:
        raise ValueError(f"a regular expression ({error})") from error
    return str(value)


def _times(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 10**9:
        raise ValueError("a whole number above 0")
    return value


def _seconds(value: Any) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= LONGEST_WAIT:
        raise ValueError(f"a number of seconds from 0 to {LONGEST_WAIT}")
    return float(value)


def _within(value: Any) -> float | None:
    return None if value is None else _seconds(value)


def _rate(value: Any) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value <= 100_000:
        raise ValueError("a number above 0")
    return float(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _types(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(type, str) and type for type in value):
        raise ValueError('a list of event types, such as ["invoice.paid", "customer.*"]')
    return value


def _one_of(choices: Mapping[str, str]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in tuple(choices):
            raise ValueError(f"one of {', '.join(choices)}")
        return str(value)

    return check


ONE_ACCOUNT = {"account": Field(_account, default="")}
FAULT = {
    **ONE_ACCOUNT,
    "method": Field(_method, default=""),
    "path_regex": Field(_regex, default=""),
    "kind": Field(_one_of(faults.KINDS), required=True),
    "times": Field(_times, default=1),
    "seconds": Field(_seconds, default=0.0),
    "within": Field(_within),
}
WEBHOOK_FAULT = {
    **ONE_ACCOUNT,
    "kind": Field(_one_of(webhook_faults.KINDS), required=True),
    "types": Field(_types, default=[]),
    "times": Field(_times, default=None),
    "seconds": Field(_seconds, default=0.0),
}
RATE_LIMIT = {
    **ONE_ACCOUNT,
    "livemode": Field(_flag, default=False),
    "per_second": Field(_rate, required=True),
    "endpoint_per_second": Field(_rate, default=None),
}
ACCOUNT = {
    "name": Field(_text, required=True),
    "connected": Field(_flag, default=True),
}
