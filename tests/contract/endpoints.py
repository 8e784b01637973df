"""Every endpoint the SDK can call, read from the source of its service modules."""

from __future__ import annotations

import ast
import difflib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

import stripe

from tests.contract.annotations import evaluate, is_typeddict, members, module_ast
from tests.contract.findings import Report

# Not reachable by introspection: (verb, path) -> dotted TypedDict.
EXTRA_ENDPOINTS = {
    ("get", "/oauth/authorize"): ("stripe._oauth", "OAuth.OAuthAuthorizeUrlParams"),
}


@dataclass(frozen=True)
class Endpoint:
    method: str
    template: str
    module: str
    function: str
    params_annotation: str | None
    returns_annotation: str | None
    base: str
    regex: re.Pattern[str]

    @property
    def params_class(self) -> type | None:
        if not self.params_annotation:
            return None
        for option, _ in members(self.params_annotation, self.module):
            if is_typeddict(option):
                return option
        return None

    @property
    def returns(self) -> Any:
        return evaluate(self.returns_annotation, self.module) if self.returns_annotation else Any

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.template}"


def _template_regex(template: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[^}]*\})", template)
    body = "".join("([^/]+)" if p.startswith("{") else re.escape(p) for p in parts)
    return re.compile(body + r"/?\Z")


def _call_target(call: ast.Call) -> tuple[str, str, str] | None:
    """(verb, path template, base) when the call is one of the SDK's request calls."""
    name = getattr(call.func, "attr", "")
    if name not in {"_request", "request", "_request_stream"} or len(call.args) < 2:
        return None
    verb, path = call.args[0], call.args[1]
    if not (isinstance(verb, ast.Constant) and isinstance(verb.value, str)):
        return None
    if isinstance(path, ast.Call) and getattr(path.func, "attr", "") == "format":
        path = path.func.value  # type: ignore[attr-defined]
    if not (isinstance(path, ast.Constant) and isinstance(path.value, str)):
        return None
    base = next(
        (k.value.value for k in call.keywords if k.arg == "base_address" and isinstance(k.value, ast.Constant)),
        "api",
    )
    return verb.value.lower(), path.value, str(base)


def _service_modules() -> Iterator[str]:
    for info in pkgutil.walk_packages(stripe.__path__, "stripe."):
        if info.name.startswith("stripe.v2."):
            continue
        if info.name.rsplit(".", 1)[-1].endswith("_service"):
            yield info.name


@cache
def endpoints() -> tuple[Endpoint, ...]:
    """All v1 and OAuth endpoints the SDK can call, most specific path first."""
    found: dict[tuple[str, str], Endpoint] = {}
    for module_name in _service_modules():
        for klass in module_ast(module_name).body:
            if not isinstance(klass, ast.ClassDef):
                continue
            for function in klass.body:
                if not isinstance(function, ast.FunctionDef):
                    continue
                target = next(
                    (t for node in ast.walk(function) if isinstance(node, ast.Call) and (t := _call_target(node))),
                    None,
                )
                if not target or target[1].startswith("/v2/"):
                    continue
                params = next(
                    (
                        ast.unparse(a.annotation)
                        for a in function.args.args + function.args.kwonlyargs
                        if a.arg == "params" and a.annotation is not None
                    ),
                    None,
                )
                returns = function.returns
                if isinstance(returns, ast.Constant):
                    returns_text: str | None = str(returns.value)
                else:
                    returns_text = ast.unparse(returns) if returns is not None else None
                key = (target[0], target[1])
                found.setdefault(
                    key,
                    Endpoint(
                        target[0],
                        target[1],
                        module_name,
                        f"{klass.name}.{function.name}",
                        params,
                        returns_text,
                        target[2],
                        _template_regex(target[1]),
                    ),
                )
    for (verb, path), (module_name, dotted) in EXTRA_ENDPOINTS.items():
        found.setdefault(
            (verb, path),
            Endpoint(verb, path, module_name, "-", dotted, None, "connect", _template_regex(path)),
        )

    def specificity(e: Endpoint) -> tuple[int, int, str]:
        segments = e.template.strip("/").split("/")
        wild = sum(s.startswith("{") for s in segments)
        return (wild, -len(segments), e.template)

    return tuple(sorted(found.values(), key=specificity))


def split_path(path: str) -> tuple[str, str]:
    parts = urlsplit(path)
    return unquote(parts.path) or "/", parts.query


def find_endpoint(method: str, path: str) -> Endpoint | None:
    bare, _ = split_path(path)
    for endpoint in endpoints():
        if endpoint.method == method.lower() and endpoint.regex.match(bare):
            return endpoint
    return None


def require_endpoint(method: str, path: str, report: Report) -> Endpoint | None:
    endpoint = find_endpoint(method, path)
    report.endpoint = endpoint
    if endpoint:
        return endpoint
    bare, _ = split_path(path)
    others = [e.method.upper() for e in endpoints() if e.regex.match(bare)]
    hint = f"; that path takes {', '.join(sorted(set(others)))}" if others else ""
    if not others:
        close = difflib.get_close_matches(bare, [e.template for e in endpoints()], 1, 0.75)
        hint = f"; did you mean {close[0]}?" if close else ""
    report.add("endpoint", f"{method.upper()} {bare}", f"no such endpoint in the SDK{hint}")
    return None
