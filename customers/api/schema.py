"""The OpenAPI schema: what an endpoint says about itself, next to its code.

An answer is a ``TypedDict``. mypy holds the function that makes it to its fields, their types and which of
them may be null; the schema is made from the same class, so that what is answered and what is documented
cannot part. ``Annotated[int, "In minor units."]`` adds a description. The component is called like the
class without ``Answer``.

What is read in is a serializer, as everywhere in Django REST framework.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from inspect import cleandoc
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    TypedDict,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)
from uuid import UUID

from django.db.models import Choices
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry, ResolvedComponent
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import Direction, extend_schema
from rest_framework.permissions import IsAuthenticated

Schema = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Any])

_ANSWER = "Answer"
# As drf-spectacular calls the enumerations it finds in serializers.
_ENUM = "Enum"


class Empty(TypedDict):
    """Done; there is nothing to tell."""


@dataclass(frozen=True)
class _Answer:
    """The type an operation answers with, for ``ApiSchema`` to read."""

    hint: Any


def documented(
    name: str,
    *,
    answer: Any = Empty,
    body: Any = None,
    query: Any = None,
    status: int = 200,
    refusals: Iterable[int] = (),
) -> Callable[[F], F]:
    """Documents a handler. ``name`` tells operations apart in generated clients: ``list_meters``.

    ``answer`` is a type, such as ``list[MeterAnswer]`` (bytes: a PDF); ``body`` and ``query`` are serializers.
    Refusals are documented once for all (``billing_portal/api/schema.py``); ``refusals`` are the statuses that
    the method and the address do not give away.
    """
    media_type = "application/pdf" if answer is bytes else "application/json"
    return extend_schema(
        operation_id=name,
        summary=name.replace("_", " ").capitalize().replace("api key", "API key"),
        parameters=[] if query is None else [query],
        request=body,
        responses={
            (status, media_type): OpenApiTypes.BINARY if answer is bytes else _Answer(answer),
            **{code: _Answer(Empty) for code in refusals},
        },
    )


class ApiSchema(AutoSchema):
    """Reads answers from their types; refuses to guess what an endpoint does not say."""

    def get_description(self) -> str:  # type: ignore[override]
        """The handler's own words, else its view's. Those of base classes are not for callers."""
        handler = getattr(self.view, self.method.lower())
        return _own_text(handler) or _own_text(type(self.view))

    def get_auth(self) -> list[Schema]:
        needed = IsAuthenticated in self.view.permission_classes
        return [*super().get_auth(), *([] if needed else [{}])]

    def _get_response_for_code(
        self, serializer: Any, status_code: str, media_types: Iterable[str] | None = None, direction: str = "response"
    ) -> Schema:
        if isinstance(serializer, _Answer):
            serializer = schema_of(serializer.hint, self.registry)
        answer: Schema = super()._get_response_for_code(  # type: ignore[no-untyped-call]
            serializer, status_code, media_types, direction
        )
        return {**answer, "description": answer["description"] or "Done."}


def _own_text(documented: Any) -> str:
    return cleandoc(documented.__doc__ or "")


def schema_of(hint: Any, registry: ComponentRegistry) -> Schema:
    """JSON Schema of a type. Classes that have a name become components."""
    if hint in _PLAIN:
        return dict(_PLAIN[hint])
    if is_typeddict(hint):
        return _component(hint.__name__.removesuffix(_ANSWER), hint, _object, registry)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _component(hint.__qualname__.replace(".", "") + _ENUM, hint, _enumeration, registry)
    arguments = get_args(hint)
    return _COMPOUND[get_origin(hint)](arguments, registry)


_PLAIN: Mapping[Any, Schema] = {
    Any: {},
    NoneType: {"type": "null"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Decimal: {"type": "number"},
    str: {"type": "string"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    UUID: {"type": "string", "format": "uuid"},
}


def _component(
    name: str, cls: type, build: Callable[[Any, ComponentRegistry], Schema], registry: ComponentRegistry
) -> Schema:
    # drf-spectacular knows enumerations by their names alone.
    component = ResolvedComponent(name, ResolvedComponent.SCHEMA, object=name if issubclass(cls, Enum) else cls)
    if component not in registry:
        registry.register(component)
        # After it is registered, so that a type may contain itself.
        component.schema = build(cls, registry)
    return dict(component.ref)


def _object(cls: Any, registry: ComponentRegistry) -> Schema:
    hints = get_type_hints(cls, include_extras=True)
    shape: Schema = {"type": "object", "properties": {name: schema_of(hint, registry) for name, hint in hints.items()}}
    # Where annotations are texts, __required_keys__ does not see NotRequired.
    optional = {name for name, hint in hints.items() if get_origin(hint) is NotRequired}
    required = [name for name in hints if name in cls.__required_keys__ - optional]
    text = _own_text(cls)
    return shape | ({"required": required} if required else {}) | ({"description": text} if text else {})


def _enumeration(cls: type[Enum], registry: ComponentRegistry) -> Schema:
    schema: Schema = {"type": "string", "enum": [member.value for member in cls]}
    if not issubclass(cls, Choices):
        return schema
    return {**schema, "description": "\n".join(f"* `{value}` - {label}" for value, label in cls.choices)}


def _described(arguments: tuple[Any, ...], registry: ComponentRegistry) -> Schema:
    hint, *texts = arguments
    return schema_of(hint, registry) | {"description": " ".join(texts)}


def _either(arguments: tuple[Any, ...], registry: ComponentRegistry) -> Schema:
    found = [schema_of(hint, registry) for hint in arguments]
    if all(set(schema) == {"type"} or schema.get("format") for schema in found):
        return {**found[0], "type": [schema["type"] for schema in found]}
    return {"anyOf": found}


def _literal(arguments: tuple[Any, ...], registry: ComponentRegistry) -> Schema:
    return {"type": "string", "enum": list(arguments)}


_COMPOUND: Mapping[Any, Callable[[tuple[Any, ...], ComponentRegistry], Schema]] = {
    Annotated: _described,
    Union: _either,
    UnionType: _either,
    Literal: _literal,
    NotRequired: lambda arguments, registry: schema_of(arguments[0], registry),
    Required: lambda arguments, registry: schema_of(arguments[0], registry),
    list: lambda arguments, registry: {"type": "array", "items": schema_of(arguments[0], registry)},
    dict: lambda arguments, registry: {"type": "object", "additionalProperties": schema_of(arguments[1], registry)},
}


class StrictSerializerSchema(OpenApiSerializerExtension):
    """Says that unknown fields are refused, and which are accepted without effect."""

    target_class = "customers.api.base.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> Schema:
        schema: Schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        known = {name: _anything_goes(field) for name, field in schema.get("properties", {}).items()}
        ignored = {name: {"description": "Accepted, without effect."} for name in sorted(self.target.ignored)}
        text = _own_text(type(self.target))
        described = {"description": text} if text else {}
        rest = {key: value for key, value in schema.items() if key not in ("description", "properties")}
        return {**described, **rest, "properties": {**known, **ignored}, "additionalProperties": False}


def _anything_goes(field: Schema) -> Schema:
    """A field for any JSON takes null already; "either anything or null" would match null twice."""
    return {} if field.get("oneOf", [None])[0] == {} else field
