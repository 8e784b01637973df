"""The API that existing client libraries speak (``octane-api.json``), held against the schema that we serve."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.contract.served_schema import Operation, operations, served

ROOT = "/api/v1"
JSON_TYPES = {
    "string": {"string"},
    "number": {"number", "integer"},
    "boolean": {"boolean"},
    "datetime": {"string"},
    "object": {"object"},
}


@cache
def surface() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((Path(__file__).parent / "octane-api.json").read_text())
    return read


def served_twice() -> list[tuple[dict[str, Any], Operation]]:
    """Each operation of the surface that we serve, with how our schema calls it."""
    ours = {(method, _anonymous(path.removeprefix(ROOT))): (method, path) for method, path in operations()}
    found = [(theirs, ours.get((theirs["method"].lower(), _anonymous(theirs["path"])))) for theirs in _operations()]
    return [(theirs, operation) for theirs, operation in found if operation]


def _operations() -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = surface()["operations"]
    return listed


def _anonymous(path: str) -> str:
    """Parameters are called differently."""
    return re.sub(r"{[^}]+}", "{}", path.rstrip("/"))


def differences() -> Iterator[str]:
    for theirs, operation in served_twice():
        ours = operations()[operation]
        where = f"{operation[0]} {operation[1].removeprefix(ROOT)}"
        yield from _body_differences(theirs.get("request"), _body(ours), f"{where} request")
        yield from _body_differences(theirs.get("response"), _answer(ours), f"{where} answer")
        known = {parameter.get("name") for parameter in ours.get("parameters", [])}
        yield from (f"{where} query {name}: missing" for name in theirs.get("query", []) if name not in known)


def _body(operation: dict[str, Any]) -> dict[str, Any] | None:
    if "requestBody" in operation:
        schema: dict[str, Any] = operation["requestBody"]["content"]["application/json"]["schema"]
        return schema
    query = [p for p in operation.get("parameters", []) if p.get("in") == "query"]
    return {"type": "object", "properties": {p["name"]: p["schema"] for p in query}} if query else None


def _answer(operation: dict[str, Any]) -> dict[str, Any] | None:
    success = next(found for code, found in operation["responses"].items() if code.startswith("2"))
    schema: dict[str, Any] | None = success["content"].get("application/json", {}).get("schema")
    return schema


def _body_differences(said: str | None, schema: dict[str, Any] | None, where: str) -> Iterator[str]:
    if said in (None, "void", "Error"):
        return
    if schema is None:
        yield f"{where}: missing"
        return
    yield from _value_differences(re.sub(r"^\[(\w+)\]$", r"Array<\1>", str(said)), schema, where)


def _value_differences(said: str, schema: dict[str, Any], where: str) -> Iterator[str]:
    options = list(_options(schema))
    types = {name for option in options for name in _types(option)}
    if not types - {"null"}:
        return  # anything; or nothing as yet, which no client may rely on
    if said in JSON_TYPES and not types & JSON_TYPES[said]:
        yield f"{where}: {sorted(types)} in place of {said}"
    elif item := re.fullmatch(r"Array<(.+)>", said):
        arrays = [option for option in options if "array" in _types(option)]
        yield from (problem for array in arrays for problem in _value_differences(item[1], array["items"], where))
        yield from () if arrays else (f"{where}: {sorted(types)} in place of a list",)
    elif said in surface()["models"]:
        yield from _model_differences(said, options, where)


def _model_differences(model: str, options: list[dict[str, Any]], where: str) -> Iterator[str]:
    properties = {name: found for option in options for name, found in option.get("properties", {}).items()}
    if not properties and any("object" in _types(option) for option in options):
        return  # a free-form object
    for name, field in surface()["models"][model].items():
        if name in properties:
            yield from _value_differences(field["type"], properties[name], f"{where} {name}")
        else:
            yield f"{where} {name}: missing"


def _options(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """References followed, alternatives one by one."""
    if "$ref" in schema:
        yield from _options(served()["components"]["schemas"][schema["$ref"].rsplit("/")[-1]])
    elif alternatives := schema.get("oneOf") or schema.get("anyOf"):
        for alternative in alternatives:
            yield from _options(alternative)
    else:
        yield schema


def _types(schema: dict[str, Any]) -> set[str]:
    types = schema.get("type", [])
    return {types} if isinstance(types, str) else set(types)
