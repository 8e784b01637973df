"""JSON in, with snake_case or camelCase names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import IO, Any, NoReturn

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from customers.api.names import snake_case

# Maps whose keys belong to the caller. Nothing inside them is renamed.
FREE_FORM = frozenset({"labels", "metadata", "price_list", "settings"})


class CamelOrSnakeJSONParser(BaseParser):
    """Numbers with a fraction arrive as ``Decimal``, exactly as they were written."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            data = json.loads(_bounded(stream), parse_float=Decimal, parse_constant=_refuse_constant)
            return _readable(data)
        except RecursionError:
            raise ParseError("The body is nested too deeply.") from None
        except UnicodeDecodeError:
            raise ParseError("The body is not valid UTF-8.") from None
        except ValueError as error:
            raise ParseError(f"The body is not valid JSON: {error}") from None


def _bounded(stream: IO[Any]) -> Any:
    """Django holds its limit against forms and ``request.body``, neither of which is read here."""
    limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    content = stream.read(limit + 1)
    if len(content) > limit:
        raise ParseError(f"The body is larger than {limit // 2**20} MB. Send it in parts.")
    return content


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _readable(value: Any) -> Any:
    if isinstance(value, dict):
        return _renamed(value)
    if isinstance(value, list):
        return [_readable(item) for item in value]
    return _text(value) if isinstance(value, str) else value


def _renamed(data: dict[str, Any]) -> dict[str, Any]:
    renamed: dict[str, Any] = {}
    for key, value in data.items():
        name = snake_case(_text(key))
        if name in renamed:
            raise ParseError(f"{name} is given twice, once as {key}.")
        renamed[name] = _verbatim(value) if name in FREE_FORM else _readable(value)
    return renamed


def _verbatim(value: Any) -> Any:
    """Keys as they came; fractions as floats, because such values are stored as JSON."""
    if isinstance(value, dict):
        return {_text(key): _verbatim(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_verbatim(item) for item in value]
    if isinstance(value, Decimal):
        return float(value)
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> str:
    """PostgreSQL stores any text but NUL and lone surrogates."""
    if text.isascii() and "\0" not in text:
        return text
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ParseError("The body contains a character that is not text (NUL or half of a surrogate pair).")
    return text
