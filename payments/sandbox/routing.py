"""The table of endpoints. A resource module declares each with its parameters and a function."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from payments.sandbox.errors import StripeError
from payments.sandbox.params import EXPAND, PAGE, Param, Params
from payments.sandbox.scope import JSON, Scope

Handler = Callable[..., JSON | StripeError]


@dataclass(frozen=True)
class Endpoint:
    """``handler(scope, params, **ids)`` answers an object, or returns the error that stands."""

    method: str
    template: str
    fields: Mapping[str, Param]
    handler: Handler
    pattern: re.Pattern[str]

    def call(self, scope: Scope, params: Params, ids: dict[str, str]) -> JSON | StripeError:
        return self.handler(scope, params, **ids)


ENDPOINTS: list[Endpoint] = []


def endpoint(
    method: str, template: str, fields: Mapping[str, Param] | None = None, *, pages: bool = False
) -> Callable[[Handler], Handler]:
    declared: dict[str, Any] = {**EXPAND, **(PAGE if pages else {}), **(fields or {})}
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template) + r"/?\Z")

    def register(handler: Handler) -> Handler:
        ENDPOINTS.append(Endpoint(method, template, declared, handler, pattern))
        return handler

    return register


def find(method: str, path: str) -> tuple[Endpoint, dict[str, str]] | None:
    for candidate in ENDPOINTS:
        if candidate.method == method and (match := candidate.pattern.match(path)):
            return candidate, match.groupdict()
    return None
