"""An endpoint in words, and the smallest answer its types allow."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import stripe
from stripe._list_object import ListObject
from stripe._search_result_object import SearchResultObject
from stripe._stripe_object import UntypedStripeObject

from tests.contract.annotations import (
    LITERALS,
    NONE,
    is_resource,
    is_typeddict,
    members,
    param_fields,
    resolve,
    resource_fields,
    type_name,
)
from tests.contract.endpoints import find_endpoint


def sdk_versions() -> dict[str, str]:
    return {"stripe": stripe.VERSION, "api_version": stripe.api_version}


def _describe_params(cls: type, indent: int, seen: tuple[type, ...]) -> Iterator[str]:
    for name, (annotation, module, required) in sorted(param_fields(cls).items()):
        mark = "*" if required else " "
        yield f"{'  ' * indent}{mark} {name}: {type_name(annotation, module)}"
        for option, option_module in members(annotation, module):
            if typing.get_origin(option) in (list, list):
                option = resolve(typing.get_args(option)[0], option_module)[0]
            if is_typeddict(option) and option not in seen:
                yield from _describe_params(option, indent + 1, seen + (option,))


def describe(method: str, path: str) -> str:
    """A readable tree of what an endpoint takes and returns (* = required)."""
    endpoint = find_endpoint(method, path)
    if not endpoint:
        return f"{method.upper()} {path}: no such endpoint"
    cls = endpoint.params_class
    lines = [
        f"{endpoint}   ({endpoint.function}, base {endpoint.base})",
        f"params : {cls.__name__ if cls else 'none'}",
    ]
    if cls:
        lines += list(_describe_params(cls, 1, (cls,)))
    lines.append(f"returns: {endpoint.returns_annotation}")
    for option, _ in members(endpoint.returns, endpoint.module):
        target = option
        if typing.get_origin(option) is not None and typing.get_args(option):
            target = resolve(typing.get_args(option)[0], endpoint.module)[0]
        if is_resource(target):
            lines.append(f"  required fields of {target.__qualname__}:")
            for name, spec in sorted(resource_fields(target).items()):
                if not spec.optional:
                    lines.append(f"    {name}: {type_name(spec.annotation, spec.module)}")
    return "\n".join(lines)


def _sample_value(annotation: Any, module: str, depth: int = 0) -> Any:
    options = members(annotation, module)
    if any(o is NONE for o, _ in options) and depth:
        return None
    for option, _option_module in options:
        origin, args = typing.get_origin(option), typing.get_args(option)
        if origin in LITERALS:
            return args[0]
    for option, _option_module in options:
        origin, args = typing.get_origin(option), typing.get_args(option)
        if option is NONE:
            continue
        if option is str:
            return "x"
        if option is bool:
            return False
        if option is int or option is float:
            return 0
        if option is Decimal:
            return "0"
        if origin in (list, list):
            return []
        if origin in (dict, dict) or option is dict:
            return {}
        if isinstance(origin, type) and issubclass(origin, UntypedStripeObject):
            return {}
        if isinstance(origin, type) and issubclass(origin, (ListObject, SearchResultObject)):
            return {"object": origin.OBJECT_NAME, "data": [], "has_more": False, "url": "/v1/x"}
        if is_resource(option):
            return _sample_resource(option, depth + 1)
    return {}


def _sample_resource(cls: type, depth: int = 0) -> dict[str, Any]:
    return {
        name: _sample_value(spec.annotation, spec.module, depth + 1)
        for name, spec in resource_fields(cls).items()
        if not spec.optional
    }


def sample(method: str, path: str) -> Any:
    """The smallest response body the annotations allow (a skeleton for a fake server)."""
    endpoint = find_endpoint(method, path)
    if not endpoint or not endpoint.returns_annotation:
        raise LookupError(f"{method.upper()} {path}")
    return _sample_value(endpoint.returns, endpoint.module)
