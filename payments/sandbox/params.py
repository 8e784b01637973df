"""Declared request parameters: every endpoint lists names and types, and this file reads them.

Unknown, missing, blank and malformed values are refused here and nowhere else. An empty string
unsets a parameter that may be unset; it then arrives as ``None``.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from payments.sandbox.errors import (
    StripeError,
    bad_request,
    empty_parameter,
    missing_parameter,
    unknown_parameters,
)

Params = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Param:
    required: bool = False
    unset: bool = False

    def read(self, value: Any, name: str) -> Any:
        if value == "":
            if self.unset:
                return None
            raise empty_parameter(name)
        return self.convert(value, name)

    def convert(self, value: Any, name: str) -> Any:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Text(Param):
    choices: tuple[str, ...] = ()
    longest: int = 5000

    def convert(self, value: Any, name: str) -> str:
        if not isinstance(value, str):
            raise bad_request(f"Invalid string: {value}", param=name)
        if self.choices and value not in self.choices:
            raise bad_request(f"Invalid {name}: must be one of {_one_of(self.choices)}", param=name)
        if len(value) > self.longest:
            message = f"Invalid string: {value[:20]}...; must be at most {self.longest} characters"
            raise bad_request(message, code="parameter_invalid_string", param=name)
        return value


@dataclass(frozen=True, kw_only=True)
class Whole(Param):
    least: int | None = None
    most: int | None = None

    def convert(self, value: Any, name: str) -> int:
        if not isinstance(value, str) or not re.fullmatch(r"-?\d{1,18}", value):
            raise bad_request(f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
        number = int(value)
        if self.least is not None and number < self.least:
            message = f"This value must be greater than or equal to {self.least}."
            raise bad_request(message, code="parameter_invalid_integer", param=name)
        if self.most is not None and number > self.most:
            message = f"This value must be less than or equal to {self.most}."
            raise bad_request(message, code="parameter_invalid_integer", param=name)
        return number


@dataclass(frozen=True, kw_only=True)
class Number(Param):
    """A decimal with at most ``places`` decimals, kept as text."""

    places: int = 12

    def convert(self, value: Any, name: str) -> str:
        if not isinstance(value, str) or not re.fullmatch(rf"-?\d{{1,15}}(\.\d{{1,{self.places}}})?", value):
            raise bad_request(f"Invalid decimal: {value}", param=name)
        return value


@dataclass(frozen=True, kw_only=True)
class Flag(Param):
    def convert(self, value: Any, name: str) -> bool:
        if value not in ("true", "false"):
            raise bad_request(f"Invalid boolean: {value}", param=name)
        return bool(value == "true")


@dataclass(frozen=True, kw_only=True)
class Hash(Param):
    fields: Mapping[str, Param]

    def convert(self, value: Any, name: str) -> Params:
        if not isinstance(value, dict):
            raise bad_request("Invalid object", param=name)
        return read(value, self.fields, name)


@dataclass(frozen=True, kw_only=True)
class Many(Param):
    of: Param
    most: int | None = None

    def convert(self, value: Any, name: str) -> list[Any]:
        if not isinstance(value, list):
            raise bad_request("Invalid array", param=name)
        if self.most is not None and len(value) > self.most:
            raise bad_request(f"Array {name} exceeded maximum {self.most} allowed elements.", param=name)
        return [self.of.read(element, f"{name}[{number}]") for number, element in enumerate(value)]


@dataclass(frozen=True, kw_only=True)
class Metadata(Param):
    """Keys to values; a blank value removes its key, a blank whole removes all of them."""

    unset: bool = True

    def convert(self, value: Any, name: str) -> dict[str, str]:
        if isinstance(value, list):
            value = {str(number): element for number, element in enumerate(value)}
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise bad_request("Invalid object", param=name)
        for key, text in value.items():
            self._check(key, text, name)
        return value

    @staticmethod
    def _check(key: str, text: str, name: str) -> None:
        if len(key) > 40:
            message = f"Metadata keys must be at most 40 characters long; '{key[:20]}...' is longer."
            raise bad_request(message, param=name)
        if len(text) > 500:
            message = f"Metadata values must be at most 500 characters long; the value of '{key}' is longer."
            raise bad_request(message, param=name)


def merged_metadata(old: Mapping[str, str], given: Mapping[str, str] | None) -> dict[str, str]:
    if given is None:
        return {}
    merged = {key: value for key, value in {**old, **given}.items() if value != ""}
    if len(merged) > 50:
        raise bad_request("Metadata can have at most 50 keys.", param="metadata")
    return merged


@dataclass(frozen=True, kw_only=True)
class Moment(Param):
    """A list filter on a time: an exact value, or a hash of bounds."""

    def convert(self, value: Any, name: str) -> dict[str, int]:
        if isinstance(value, dict):
            return read(value, {bound: Whole() for bound in ("gt", "gte", "lt", "lte")}, name)
        return {"exact": Whole().read(value, name)}


@dataclass(frozen=True, kw_only=True)
class Either(Param):
    """A value of the first kind that accepts it."""

    kinds: tuple[Param, ...]

    def convert(self, value: Any, name: str) -> Any:
        refusal: StripeError | None = None
        for kind in self.kinds:
            try:
                return kind.read(value, name)
            except StripeError as error:
                refusal = refusal or error
        raise refusal or bad_request("Invalid value", param=name)


EXPAND: Mapping[str, Param] = {"expand": Many(of=Text())}
PAGE: Mapping[str, Param] = {
    "limit": Whole(least=1, most=100),
    "starting_after": Text(),
    "ending_before": Text(),
    "created": Moment(),
}
ADDRESS: Mapping[str, Param] = {
    field: Text(unset=True) for field in ("city", "country", "line1", "line2", "postal_code", "state")
}


def read(given: Mapping[str, Any], fields: Mapping[str, Param], inside: str = "") -> Params:
    """The given values converted, or the first refusal."""
    unknown = [_name(inside, key) for key in given if key not in fields]
    if unknown:
        raise unknown_parameters(unknown)
    missing = [key for key, field in fields.items() if field.required and key not in given]
    if missing:
        raise missing_parameter(_name(inside, missing[0]))
    return dict(_converted(given, fields, inside))


def _converted(given: Mapping[str, Any], fields: Mapping[str, Param], inside: str) -> Iterator[tuple[str, Any]]:
    for key, value in given.items():
        yield key, fields[key].read(value, _name(inside, key))


def _name(inside: str, key: str) -> str:
    return f"{inside}[{key}]" if inside else key


def _one_of(choices: Sequence[str]) -> str:
    return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])}, or {choices[-1]}"
