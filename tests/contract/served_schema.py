"""Does an answer keep to the schema that is served? Asked of every answer that a test's ``Api`` receives."""

from __future__ import annotations

import copy
import json
import re
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import resolve
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

Operation = tuple[str, str]

_HERE = "urn:served"

formats = FormatChecker(formats=())


@formats.checks("date-time", raises=ValueError)  # type: ignore[untyped-decorator]
def _is_moment(text: Any) -> bool:
    return not isinstance(text, str) or datetime.fromisoformat(text).tzinfo is not None


@formats.checks("uuid", raises=ValueError)  # type: ignore[untyped-decorator]
def _is_uuid(text: Any) -> bool:
    return not isinstance(text, str) or bool(UUID(text))


@cache
def served() -> dict[str, Any]:
    """As it leaves the building: through JSON."""
    schema: dict[str, Any] = json.loads(json.dumps(SchemaGenerator().get_schema(request=None, public=True)))
    return schema


def operations() -> dict[Operation, dict[str, Any]]:
    return {(method, path): found for path, methods in served()["paths"].items() for method, found in methods.items()}


def operation_at(method: str, path: str) -> Operation:
    """How the schema calls what stands behind an address as the URL patterns spell it."""
    route = resolve(path).route
    return method.lower(), "/" + re.sub(r"<\w+:(\w+)>", r"{\1}", route)


def check(method: str, path: str, response: HttpResponse) -> Operation:
    """The operation that answered, once its answer is found to be documented: the status, every field, its type."""
    operation = operation_at(method, path)
    if operation not in operations():
        assert response.status_code in (401, 404, 405, 501), f"{operation} is not documented."
        return operation
    said = operations()[operation]["responses"].get(str(response.status_code))
    assert said is not None, f"{operation} does not document {response.status_code}: {response.content!r}"
    if "$ref" in said:
        said = served()["components"]["responses"][said["$ref"].rsplit("/")[-1]]
    media_type = response["Content-Type"].partition(";")[0]
    assert media_type in said["content"], f"{operation} answers {media_type}"
    if media_type == "application/json":
        found = [f"{error.json_path}: {error.message}" for error in _errors(said["content"][media_type], response)]
        assert not found, f"{operation} {response.status_code}: {found}"
    return operation


def _errors(content: dict[str, Any], response: HttpResponse) -> Any:
    """For the test a field that is not documented is a mistake; for callers it may be news."""
    return validator(content["schema"], closed=True).iter_errors(json.loads(response.content))


def validator(schema: dict[str, Any], *, closed: bool = False) -> Draft202012Validator:
    """``closed``: objects may hold nothing but their documented properties."""
    return Draft202012Validator(_located(schema), registry=_registry(closed), format_checker=formats)


@cache
def _registry(closed: bool) -> Registry[Any]:
    components = copy.deepcopy(served()["components"])
    for schema in components["schemas"].values() if closed else ():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    located = _located({"components": components})
    # Crawled once, not at each validation.
    return Registry().with_resource(_HERE, DRAFT202012.create_resource(located)).crawl()


def _located(schema: dict[str, Any]) -> dict[str, Any]:
    """References, which mean the served document, made to say so."""
    located: dict[str, Any] = json.loads(json.dumps(schema).replace('"#/components/', f'"{_HERE}#/components/'))
    return located
