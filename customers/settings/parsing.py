"""Is this a value of that setting? Derived from the setting's declaration, nothing repeated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from customers.errors import Invalid
from customers.settings.declaration import Setting
from customers.settings.policy import SETTING_NAMES, SETTINGS

_BY_NAME = {setting.name: setting for setting in SETTINGS}
_DECIMAL_PLACES = 4
_LIST_LIMIT = 20
_COLUMN_LIMIT = 2_147_483_647


class _Unfit(Exception):
    """What is wrong with a value, for the person who sent it."""


def parse(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as they are stored. None passes: "not set here". Raises ``Invalid`` naming every bad field."""
    parsed: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for name, value in values.items():
        try:
            parsed[name] = _parse_one(name, value)
        except _Unfit as unfit:
            errors[name] = str(unfit)
    if errors:
        raise Invalid(errors)
    return parsed


def _parse_one(name: str, value: Any) -> Any:
    if name not in _BY_NAME:
        close = get_close_matches(name, SETTING_NAMES)
        raise _Unfit("There is no such setting." + (f" Did you mean {' or '.join(close)}?" if close else ""))
    setting = _BY_NAME[name]
    return None if value is None else _PARSERS[setting.type](setting, value)


def _flag(setting: Setting, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Unfit("Give true or false.")
    return value


def _whole_number(setting: Setting, value: Any) -> int:
    number = _number(value, "Give a whole number.")
    if number != number.to_integral_value():
        raise _Unfit("Give a whole number.")
    return int(_within(setting, number))


def _decimal(setting: Setting, value: Any) -> Decimal:
    number = _within(setting, _number(value, "Give a number."))
    if number != round(number, _DECIMAL_PLACES):
        raise _Unfit(f"Give at most {_DECIMAL_PLACES} decimal places.")
    return number


def _number(value: Any, refusal: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise _Unfit(refusal)
    number = Decimal(str(value))
    if not number.is_finite():
        raise _Unfit(refusal)
    return number


def _text(setting: Setting, value: Any) -> str:
    if not isinstance(value, str):
        raise _Unfit("Give a text.")
    if len(value) > setting.max_length:
        raise _Unfit(f"Give at most {setting.max_length} characters; this has {len(value)}.")
    if setting.choices and value not in setting.choices.values:
        raise _Unfit(f"Give one of {', '.join(setting.choices.values)}.")
    if setting.check and (problem := setting.check(value)):
        raise _Unfit(problem)
    return value


def _whole_numbers(setting: Setting, value: Any) -> list[int]:
    if not isinstance(value, list | tuple):
        raise _Unfit("Give a list of whole numbers, for example [7, 1].")
    if len(value) > _LIST_LIMIT:
        raise _Unfit(f"Give at most {_LIST_LIMIT} numbers.")
    return list(dict.fromkeys(_whole_number(setting, item) for item in value))


def _within(setting: Setting, number: Decimal) -> Decimal:
    low, high = setting.minimum or 0, setting.maximum or _COLUMN_LIMIT
    if not low <= number <= high:
        raise _Unfit(f"Give a number from {low} to {high}.")
    return number


_PARSERS: dict[type, Callable[[Setting, Any], Any]] = {
    bool: _flag,
    int: _whole_number,
    Decimal: _decimal,
    str: _text,
    tuple: _whole_numbers,
}
