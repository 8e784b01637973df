"""What the lines that are logged now are about: the request, the vendor, the invoice. Every room adds what it knows.

(Logging is set up before any model may be imported, so this module knows of none.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token

Known = Mapping[str, str]

_known: ContextVar[Known] = ContextVar("what is logged about", default={})  # noqa: B039 - never changed in place


@contextmanager
def about(**ids: object) -> Iterator[None]:
    """Lines that are logged inside carry these ids, beside those from outside."""
    token = enter(**ids)
    try:
        yield
    finally:
        leave(token)


def note(**ids: object) -> None:
    """From here to the end of the ``about`` around it."""
    enter(**ids)


def enter(**ids: object) -> Token[Known]:
    return _known.set({**_known.get(), **{name: str(value) for name, value in ids.items()}})


def leave(token: Token[Known]) -> None:
    _known.reset(token)


def known() -> Known:
    return _known.get()
