"""What the published ``octane`` library offers that speaks to a server, and what of it was used."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

from octane import api_resources

APIResource = api_resources.abstract.APIResource
# A resource and what is called on it: ("Customer", "create").
Call = tuple[str, str]

_HELPER = re.compile(r"^__|^_(?!cls_)|_url$|_request$")


def offered() -> dict[Call, CodeType]:
    """Every method of every resource, read from the installed library, with its code. One that can be called on an
    object and on its class counts twice: the second is called ``_cls_delete`` there.

    Left out are its own helpers: what makes an address, and what all of these send their request with.
    """
    classes = [found for _, found in inspect.getmembers(api_resources, inspect.isclass)]
    resources = [found for found in classes if issubclass(found, APIResource)]
    return {(one.__name__, name): code for one in resources for name, code in _methods(one) if not _HELPER.search(name)}


def _methods(resource: type) -> Iterator[tuple[str, CodeType]]:
    for parent in reversed(resource.__mro__):
        if issubclass(parent, APIResource):
            yield from ((name, code) for name, found in vars(parent).items() if (code := _code(found)))


def _code(found: Any) -> CodeType | None:
    """Of a function, a class method, or of what the library calls a class method variant."""
    function = getattr(found, "__func__", None) or getattr(found, "method", found)
    code: CodeType | None = getattr(function, "__code__", None)
    return code


@contextmanager
def used() -> Iterator[set[Call]]:
    """Fills with what is called in this thread meanwhile."""
    names: dict[CodeType, set[str]] = {}
    for (_, name), code in offered().items():
        names.setdefault(code, set()).add(name)
    found: set[Call] = set()

    def look(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            found.update((_resource(frame), name) for name in names.get(frame.f_code, ()) if _goes_by(name, frame))

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        yield found
    finally:
        sys.setprofile(before)


def _resource(frame: FrameType) -> str:
    """The class that a class method, or the class of the object that a method was called on."""
    first = frame.f_locals.get("cls", frame.f_locals.get("self"))
    return first.__name__ if isinstance(first, type) else type(first).__name__


def _goes_by(name: str, frame: FrameType) -> bool:
    """What the library makes in a loop, such as ``create_mapping`` and ``create_subscription``, shares one code."""
    made_for = frame.f_locals.get("resource_url_method", frame.f_locals.get("http_path", ""))
    return str(made_for).removesuffix("s_url") in name
