"""camelCase, which older clients send, read as snake_case."""

from __future__ import annotations

import re

_CAMEL = re.compile(r"[a-z]+[a-zA-Z0-9]*[A-Z][a-zA-Z0-9]*")
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[a-zA-Z])(?=[0-9])")


def snake_case(name: str) -> str:
    """``addressLine1`` becomes ``address_line_1``. Other names stay as they are."""
    return _WORD_START.sub("_", name).lower() if _CAMEL.fullmatch(name) else name
