"""The schema for machines, and the same as a page for people. Made once a process: it does not change while it runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

Schema = dict[str, Any]

ROOT = "/api/v1"


@dataclass(frozen=True)
class Field:
    name: str
    type: str
    required: bool
    text: SafeString


@dataclass(frozen=True)
class Operation:
    name: str
    method: str
    path: str
    title: str
    text: SafeString
    parameters: list[Field]
    body: list[Field]
    sent: str
    answer: list[Field]
    answered: str


@dataclass(frozen=True)
class Section:
    name: str
    operations: list[Operation] = field(default_factory=list)


@cache
def document() -> Schema:
    made: Schema = json.loads(json.dumps(SchemaGenerator().get_schema(request=None, public=True)))
    return made


@cache
def _encoded() -> bytes:
    return json.dumps(document(), ensure_ascii=False).encode()


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_encoded(), content_type="application/json")


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    info = document()["info"]
    paragraphs = [marked(paragraph) for paragraph in info["description"].split("\n\n")]
    context = {"title": info["title"], "paragraphs": paragraphs, "sections": sections()}
    return render(request, "api/reference.html", context)


def marked(text: str) -> SafeString:
    """What stands between backticks becomes code; nothing else of Markdown is used."""
    pieces = enumerate(text.split("`"))
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", piece) if n % 2 else piece,) for n, piece in pieces)
    )


@cache
def sections() -> list[Section]:
    """By the first part of the address: customers, invoices, ..."""
    found: dict[str, Section] = {}
    for path, methods in document()["paths"].items():
        name = path.removeprefix(ROOT).split("/")[1]
        for method, operation in methods.items():
            found.setdefault(name, Section(name)).operations.append(_operation(method, path, operation))
    return list(found.values())


def _operation(method: str, path: str, said: Schema) -> Operation:
    content = said.get("requestBody", {}).get("content", {}).get("application/json", {})
    success = next(found for code, found in said["responses"].items() if code.startswith("2"))
    answer = success["content"].get("application/json", {})
    return Operation(
        name=said["operationId"],
        method=method.upper(),
        path=path,
        title=said.get("summary", ""),
        text=marked(said.get("description", "")),
        parameters=[_parameter(one) for one in said.get("parameters", []) if "$ref" not in one],
        body=list(_fields(content.get("schema", {}))),
        sent=_pretty(content),
        answer=list(_fields(answer.get("schema", {}))),
        answered=_pretty(answer),
    )


def _pretty(content: Mapping[str, Any]) -> str:
    return json.dumps(content["example"], indent=2, ensure_ascii=False) if "example" in content else ""


def _parameter(said: Schema) -> Field:
    text = marked(said.get("description", ""))
    return Field(said["name"], _type(said["schema"]), said.get("required", False), text)


def _fields(said: Schema) -> Iterator[Field]:
    """Of an object, or of each object in a list."""
    shape = _followed(said.get("items", said))
    for name, found in shape.get("properties", {}).items():
        text = found.get("description") or _followed(found).get("description", "")
        yield Field(name, _type(found), name in shape.get("required", []), marked(text))


def _followed(said: Schema) -> Schema:
    if "$ref" not in said:
        return said
    found: Schema = document()["components"]["schemas"][said["$ref"].rsplit("/")[-1]]
    return found


def _type(said: Schema) -> str:
    if "$ref" in said:
        followed = _followed(said)
        return "one of " + ", ".join(map(str, followed["enum"])) if "enum" in followed else "object"
    if options := said.get("anyOf") or said.get("oneOf") or said.get("allOf"):
        return " or ".join(dict.fromkeys(_type(option) for option in options))
    if "enum" in said:
        return "one of " + ", ".join(map(str, said["enum"]))
    if said.get("type") == "array":
        return f"list of {_type(said['items'])}"
    types = said.get("type", "anything")
    words = [types] if isinstance(types, str) else types
    return " or ".join(said.get("format", word) if word == "string" else word for word in words)
