"""Whether a path in ``expand[]`` leads anywhere."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stripe._list_object import ListObject
from stripe._search_result_object import SearchResultObject
from stripe._stripe_object import StripeObject

from tests.contract.annotations import ANYS, NONE, is_resource, members, resource_fields
from tests.contract.findings import Report
from tests.contract.values import is_hashable


def _expand_targets(annotation: Any, module: str) -> list[tuple[Any, str]]:
    """The object members behind an annotation (through lists)."""
    targets = []
    for option, option_module in members(annotation, module):
        origin = typing.get_origin(option)
        if origin in (list, list):
            targets += _expand_targets(typing.get_args(option)[0], option_module)
        elif is_resource(option) or (isinstance(origin, type) and issubclass(origin, StripeObject)):
            targets.append((option, option_module))
    return targets


def _expand_step(target: tuple[Any, str], segment: str) -> tuple[Any, str] | None:
    tp, module = target
    origin = typing.get_origin(tp)
    if isinstance(origin, type) and issubclass(origin, (ListObject, SearchResultObject)):
        return (typing.get_args(tp)[0], module) if segment == "data" else None
    if isinstance(origin, type):
        return (typing.Any, module)
    spec = resource_fields(tp).get(segment)
    return (spec.annotation, spec.module) if spec else None


def check_expand(paths: Iterable[Any], returns: Any, module: str, report: Report) -> None:
    for path in paths:
        where = f"expand[{path}]"
        if not isinstance(path, str) or not path:
            report.add("expand", where, "not a path")
            continue
        segments = path.split(".")
        if len(segments) > 4:
            report.add("expand", where, "deeper than four levels")
        current = _expand_targets(returns, module)
        last: list[tuple[Any, str]] = []
        for number, segment in enumerate(segments):
            last = [s for t in current if (s := _expand_step(t, segment))]
            if not last:
                report.add("expand", where, f"{segment!r} does not exist at level {number + 1}")
                break
            if any(a in ANYS for a, _ in last if is_hashable(a)):
                break
            current = [t for a, m in last for t in _expand_targets(a, m)]
            if not current:
                report.add("expand", where, f"{segment!r} is not an object: it cannot be expanded")
                break
        else:
            if segments[-1] == "data":
                report.add("expand", where, "a path cannot end in 'data'")
            elif not any(_expandable(a, m) for a, m in last):
                report.add("expand", where, "this property is always included; it cannot be expanded")


def _expandable(annotation: Any, module: str) -> bool:
    options = [o for o, _ in members(annotation, module)]
    if NONE in options or str in options:
        return True
    if any(isinstance(typing.get_origin(o), type) and issubclass(typing.get_origin(o), ListObject) for o in options):
        return True  # always included, yet Stripe accepts it in expand[]
    return any(_expandable(typing.get_args(o)[0], module) for o in options if typing.get_origin(o) in (list, list))


def at_path(value: Any, segments: list[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for element in value:
            yield from at_path(element, segments)
    elif not segments:
        yield value
    elif isinstance(value, Mapping) and segments[0] in value:
        yield from at_path(value[segments[0]], segments[1:])
