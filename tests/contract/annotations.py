"""The SDK's annotations as objects: forward references resolved, unions flattened, fields listed."""

from __future__ import annotations

import ast
import builtins
import importlib
import importlib.util
import types
import typing
from dataclasses import dataclass
from functools import cache
from typing import Any, Union

import typing_extensions
from stripe._stripe_object import StripeObject

_UNION_ORIGINS = {Union, getattr(types, "UnionType", Union)}
_WRAPPERS = {
    getattr(mod, name)
    for mod in (typing, typing_extensions)
    for name in ("Required", "NotRequired", "ReadOnly", "Annotated", "Final")
    if hasattr(mod, name)
}
_CLASSVARS = {typing.ClassVar}
LITERALS = {typing.Literal, typing_extensions.Literal}
ANYS = {typing.Any, object, typing_extensions.Any}
NONE = type(None)


@cache
def _typing_imports(module_name: str) -> dict[str, tuple[str, str | None]]:
    """Every name a module imports anywhere, ``if TYPE_CHECKING`` included."""
    table: dict[str, tuple[str, str | None]] = {}
    try:
        tree = module_ast(module_name)
    except (OSError, TypeError, SyntaxError, ImportError):
        return table
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                table[alias.asname or alias.name] = (node.module, alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                table[alias.asname or alias.name.split(".")[0]] = (alias.name, None)
    return table


@cache
def module_ast(module_name: str) -> ast.Module:
    spec = importlib.util.find_spec(module_name)
    if spec is None or not spec.origin:
        raise ImportError(module_name)
    with open(spec.origin, encoding="utf-8") as handle:
        return ast.parse(handle.read())


class _Namespace(dict):
    """Name lookup as a type checker sees it: module globals first, then the
    names the module imports for typing only (imported here on demand)."""

    def __init__(self, module_name: str) -> None:
        super().__init__()
        self.module_name = module_name

    def __missing__(self, name: str) -> Any:
        module = importlib.import_module(self.module_name)
        if name in vars(module):
            value = vars(module)[name]
        elif name in (table := _typing_imports(self.module_name)):
            source, attribute = table[name]
            value = importlib.import_module(source)
            if attribute is not None:
                try:
                    value = getattr(value, attribute)
                except AttributeError:
                    value = importlib.import_module(f"{source}.{attribute}")
        elif hasattr(builtins, name):
            value = getattr(builtins, name)
        else:
            raise KeyError(name)
        self[name] = value
        return value


@cache
def _namespace(module_name: str) -> _Namespace:
    return _Namespace(module_name)


@cache
def evaluate(expression: str, module_name: str) -> Any:
    try:
        return eval(expression, {"__builtins__": {}}, _namespace(module_name))  # noqa: S307
    except Exception:  # an annotation this Python cannot evaluate: accept anything
        return typing.Any


def resolve(annotation: Any, module_name: str) -> tuple[Any, str]:
    """Strip forward references and qualifiers such as NotRequired."""
    for _ in range(20):
        if isinstance(annotation, str):
            annotation = evaluate(annotation, module_name)
        elif isinstance(annotation, typing.ForwardRef):
            module_name = getattr(annotation, "__forward_module__", None) or module_name
            annotation = evaluate(annotation.__forward_arg__, module_name)
        elif typing.get_origin(annotation) in _WRAPPERS:
            annotation = typing.get_args(annotation)[0]
        else:
            break
    return annotation, module_name


def members(annotation: Any, module_name: str) -> list[tuple[Any, str]]:
    """Flatten (nested) unions into a list of resolved members."""
    annotation, module_name = resolve(annotation, module_name)
    if typing.get_origin(annotation) in _UNION_ORIGINS:
        flat: list[tuple[Any, str]] = []
        for member in typing.get_args(annotation):
            flat += members(member, module_name)
        return flat
    return [(annotation, module_name)]


def is_typeddict(tp: Any) -> bool:
    return isinstance(tp, type) and hasattr(tp, "__required_keys__")


def is_resource(tp: Any) -> bool:
    return isinstance(tp, type) and issubclass(tp, StripeObject)


def _is_optional(annotation: Any, module_name: str) -> bool:
    return any(o is NONE or o is None for o, _ in members(annotation, module_name))


@dataclass(frozen=True)
class _Field:
    annotation: Any
    module: str
    optional: bool


_STOP_CLASSES = {StripeObject, object}


@cache
def resource_fields(cls: type) -> dict[str, _Field]:
    """JSON field name -> annotation, for a resource class or one nested in it."""
    fields: dict[str, _Field] = {}
    for klass in reversed(cls.__mro__):
        if klass in _STOP_CLASSES or not klass.__module__.startswith("stripe"):
            continue
        for name, annotation in vars(klass).get("__annotations__", {}).items():
            if name.startswith("_") or name == "OBJECT_NAME":
                continue
            probe, _ = resolve(annotation, klass.__module__)
            if typing.get_origin(probe) in _CLASSVARS or probe is typing.ClassVar:
                continue
            wire_name = getattr(klass, "_field_remappings", {}).get(name, name)
            fields[wire_name] = _Field(annotation, klass.__module__, _is_optional(annotation, klass.__module__))
    return fields


OPTION_KEYS = frozenset(importlib.import_module("stripe._request_options").RequestOptions.__annotations__)


@cache
def param_fields(cls: type) -> dict[str, tuple[Any, str, bool]]:
    """Param name -> (annotation, module, required); SDK request options removed."""
    fields: dict[str, tuple[Any, str, bool]] = {}
    required: frozenset[str] = getattr(cls, "__required_keys__", frozenset())
    for name, annotation in cls.__annotations__.items():
        if name in OPTION_KEYS:
            continue
        fields[name] = (annotation, cls.__module__, name in required)
    return fields


def object_name(cls: type) -> str | None:
    declared = vars(cls).get("OBJECT_NAME")
    if isinstance(declared, str):
        return declared
    spec = resource_fields(cls).get("object")
    if spec:
        for option, _ in members(spec.annotation, spec.module):
            if typing.get_origin(option) in LITERALS:
                return str(typing.get_args(option)[0])
    return None


def type_name(annotation: Any, module_name: str) -> str:
    names = []
    literals: list[str] = []
    for option, _ in members(annotation, module_name):
        origin = typing.get_origin(option)
        if origin in LITERALS:
            literals += [repr(v) for v in typing.get_args(option)]
        elif option is NONE:
            names.append("null")
        elif origin in (list, dict) or isinstance(origin, type):
            inner = ", ".join(type_name(a, _) for a in typing.get_args(option))
            names.append(f"{origin.__name__}[{inner}]")
        else:
            names.append(getattr(option, "__qualname__", str(option)))
    if literals:
        shown = "|".join(literals[:6]) + ("|..." if len(literals) > 6 else "")
        names.insert(0, shown)
    return " or ".join(dict.fromkeys(names))
