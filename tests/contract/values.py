"""Values against annotations; requests and responses share this."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from stripe._list_object import ListObject
from stripe._search_result_object import SearchResultObject
from stripe._stripe_object import StripeObject, UntypedStripeObject

from tests.contract.annotations import (
    ANYS,
    LITERALS,
    NONE,
    OPTION_KEYS,
    is_resource,
    is_typeddict,
    members,
    object_name,
    param_fields,
    resource_fields,
    type_name,
)
from tests.contract.findings import Report
from tests.contract.forms import as_list
from tests.contract.scalars import kind_of, scalar_json, scalar_native, scalar_wire

METADATA_MAX_KEYS, METADATA_MAX_KEY, METADATA_MAX_VALUE = 50, 40, 500


@dataclass(frozen=True)
class Accepted:
    """What an annotation lets pass, taken apart once."""

    anything: bool
    nullable: bool
    literals: list[Any]
    others: list[tuple[Any, str]]


@cache
def accepted(annotation: Any, module: str) -> Accepted:
    options = members(annotation, module)
    anything = any(o in ANYS or isinstance(o, typing.TypeVar) for o, _ in options if is_hashable(o))
    nullable = any(o is NONE or o is None for o, _ in options)
    options = [(o, m) for o, m in options if o is not NONE and o is not None]
    literals = [v for o, _ in options if typing.get_origin(o) in LITERALS for v in typing.get_args(o)]
    others = [(o, m) for o, m in options if typing.get_origin(o) not in LITERALS]
    return Accepted(anything, nullable, literals, others)


class Checker:
    """mode: 'response' (JSON), 'wire' (decoded form), 'native' (SDK call params)."""

    def __init__(self, mode: str, report: Report) -> None:
        self.mode = mode
        self.report = report

    # -- helpers ----------------------------------------------------------
    def fail(self, kind: str, where: str, message: str) -> None:
        self.report.add(kind, where, message)

    def _trial(self, value: Any, option: tuple[Any, str], where: str) -> Report:
        trial = Report()
        Checker(self.mode, trial).value(value, option[0], option[1], where)
        return trial

    # -- dispatch ---------------------------------------------------------
    def value(self, value: Any, annotation: Any, module: str, where: str) -> None:
        accepts = accepted(annotation, module)
        if accepts.anything:
            return
        if value is None:
            if not accepts.nullable and self.mode == "response":
                self.fail("null", where, f"null, expected {type_name(annotation, module)}")
            return  # the SDK drops None from requests
        literals, others = accepts.literals, accepts.others
        if self._literal_match(value, literals):
            return
        if not others:
            shown = ", ".join(map(repr, literals[:12])) + (", ..." if len(literals) > 12 else "")
            if isinstance(value, (Mapping, list, tuple)):
                self.fail("type", where, f"{kind_of(value)}, expected one of {shown}")
            else:
                self.fail("enum", where, f"{value!r} is not one of {shown}{_near(value, literals)}")
            return
        real_literals = [v for v in literals if v != ""]
        plain = [o for o, _ in others]
        if isinstance(value, str) and str in plain:
            if real_literals and not any(is_resource(o) for o in plain):
                if self.mode != "response" and any(
                    o in (bool, int, float, Decimal) and scalar_wire(value, o) is None for o in plain
                ):
                    return
                self.fail(
                    "open_enum",
                    where,
                    f"{value!r} is not a value the SDK knows{_near(value, real_literals)}",
                )
            return
        if len(others) == 1:
            self.single(value, others[0][0], others[0][1], where, annotation, module)
            return
        self.union(value, others, where, annotation, module)

    def _literal_match(self, value: Any, literals: list[Any]) -> bool:
        for literal in literals:
            if type(literal) is type(value) and literal == value:
                return True
            if self.mode == "wire" and isinstance(value, str):
                text = str(literal).lower() if isinstance(literal, bool) else str(literal)
                if text == value:
                    return True
        return False

    def union(self, value: Any, options: list[tuple[Any, str]], where: str, annotation: Any, module: str) -> None:
        if isinstance(value, Mapping) and isinstance(value.get("object"), str):
            named = [(o, m) for o, m in options if is_resource(o) and object_name(o) == value["object"]]
            if named:
                self.single(value, named[0][0], named[0][1], where, annotation, module)
                return
            classes = [o for o, _ in options if is_resource(o) and object_name(o)]
            if classes and self.mode == "response":
                expected = ", ".join(str(object_name(c)) for c in classes)
                self.fail("object", where, f"object {value['object']!r}, expected one of {expected}")
                return
        trials = [self._trial(value, option, where) for option in options]
        best = min(trials, key=lambda t: (_severity(t), len(t.issues), len(t.extras)))
        if best.issues and all(i.kind == "type" and i.where == where for t in trials for i in t.issues):
            self.fail("type", where, f"{kind_of(value)}, expected {type_name(annotation, module)}")
            return
        self.report.merge(best)

    # -- one concrete type ------------------------------------------------
    def single(self, value: Any, tp: Any, module: str, where: str, annotation: Any, ann_module: str) -> None:
        origin = typing.get_origin(tp)
        args = typing.get_args(tp)
        if origin in (list, list, tuple) or tp in (list, tuple):
            self.list_(value, args[0] if args else Any, module, where)
        elif origin in (dict, dict) or origin is Mapping or tp is dict:
            self.mapping(value, args[1] if len(args) == 2 else Any, module, where)
        elif origin is not None and isinstance(origin, type) and issubclass(origin, StripeObject):
            if issubclass(origin, ListObject):
                self.list_object(value, args[0], module, where)
            elif issubclass(origin, SearchResultObject):
                self.search_object(value, args[0], module, where)
            elif issubclass(origin, UntypedStripeObject):
                self.mapping(value, args[0] if args else Any, module, where)
            else:
                self.resource(value, origin, where)
        elif is_typeddict(tp):
            self.typed_dict(value, tp, where)
        elif is_resource(tp):
            if issubclass(tp, ListObject):
                self.list_object(value, Any, module, where)
            elif issubclass(tp, UntypedStripeObject):
                self.mapping(value, Any, module, where)
            else:
                self.resource(value, tp, where)
        else:
            problem = self.scalar(value, tp)
            if problem:
                self.fail("type", where, problem)

    def scalar(self, value: Any, tp: Any) -> str | None:
        if self.mode == "response":
            return scalar_json(value, tp)
        if self.mode == "wire" or isinstance(value, str):
            return scalar_wire(value, tp)
        return scalar_native(value, tp)

    # -- containers -------------------------------------------------------
    def list_(self, value: Any, item: Any, module: str, where: str) -> None:
        elements = (value if isinstance(value, list) else None) if self.mode == "response" else as_list(value)
        if elements is None:
            hint = ""
            if value == "" and self.mode != "response":
                hint = " (this list cannot be cleared with an empty string)"
            self.fail("type", where, f"{kind_of(value)}, expected a list{hint}")
            return
        if self.mode != "response" and isinstance(value, Mapping):
            indexes = sorted(int(k) for k in value)
            if indexes != list(range(len(indexes))):
                self.fail("form", where, f"list indexes {indexes} are not 0..n-1")
        if self.mode == "native" and not elements:
            self.fail("dropped", where, "an empty list is never sent; pass '' to clear the field")
        for number, element in enumerate(elements):
            self.value(element, item, module, f"{where}[{number}]")

    def mapping(self, value: Any, item: Any, module: str, where: str) -> None:
        if not isinstance(value, Mapping):
            self.fail("type", where, f"{kind_of(value)}, expected a mapping")
            return
        for key, element in value.items():
            if element is None and self.mode == "response":
                option = members(item, module)
                if any(o is str for o, _ in option):
                    self.fail("null", f"{where}.{key}", "null inside a mapping of strings")
                continue
            self.value(element, item, module, f"{where}.{key}")
        if where.rsplit(".", 1)[-1] in {"metadata", "invoice_metadata"}:
            self.metadata(value, where)

    def metadata(self, value: Mapping[str, Any], where: str) -> None:
        if len(value) > METADATA_MAX_KEYS:
            self.fail("limit", where, f"{len(value)} metadata keys, at most {METADATA_MAX_KEYS}")
        for key, element in value.items():
            if len(str(key)) > METADATA_MAX_KEY:
                self.fail("limit", f"{where}.{key}", f"key longer than {METADATA_MAX_KEY}")
            if "[" in str(key) or "]" in str(key):
                self.fail("limit", f"{where}.{key}", "square brackets in a metadata key")
            if isinstance(element, str) and len(element) > METADATA_MAX_VALUE:
                self.fail("limit", f"{where}.{key}", f"value longer than {METADATA_MAX_VALUE}")

    def typed_dict(self, value: Any, cls: type, where: str) -> None:
        if not isinstance(value, Mapping):
            self.fail("type", where, f"{kind_of(value)}, expected a hash ({cls.__name__})")
            return
        fields = param_fields(cls)
        if self.mode == "native" and not value and where and fields:
            self.fail("dropped", where, "an empty hash is never sent")
        prefix = f"{where}." if where else ""
        for key, element in value.items():
            if key not in fields:
                near = difflib.get_close_matches(str(key), list(fields), 1)
                hint = f" (did you mean {near[0]}?)" if near else ""
                if key in OPTION_KEYS and not where:
                    hint = " (a request option: it belongs in options=, not in params)"
                self.fail("unknown_param", prefix + str(key), f"not in {cls.__name__}{hint}")
                continue
            annotation, module, _ = fields[key]
            self.value(element, annotation, module, prefix + key)
        for key, (_, _, required) in fields.items():
            if required and value.get(key) is None:
                self.fail("missing_param", prefix + key, f"required by {cls.__name__}")

    def resource(self, value: Any, cls: type, where: str) -> None:
        if not isinstance(value, Mapping):
            self.fail("type", where, f"{kind_of(value)}, expected {cls.__qualname__}")
            return
        fields = resource_fields(cls)
        prefix = f"{where}." if where else ""
        if value.get("deleted") is True and "deleted" in fields:
            fields = {k: f for k, f in fields.items() if k in value or k in {"id", "object"}}
        for key, spec in fields.items():
            if key in value:
                self.value(value[key], spec.annotation, spec.module, prefix + key)
            elif not spec.optional:
                self.fail("missing", prefix + key, f"required by {cls.__qualname__}")
            else:
                self.fail("absent", prefix + key, f"optional in {cls.__qualname__}")
        for key in value:
            if key not in fields:
                self.fail("extra", prefix + str(key), f"not a field of {cls.__qualname__}")

    def _page(self, value: Any, name: str, item: Any, module: str, where: str) -> None:
        prefix = f"{where}." if where else ""
        if not isinstance(value, Mapping):
            self.fail("type", where, f"{kind_of(value)}, expected a {name} object")
            return
        if value.get("object") != name:
            self.fail("object", prefix + "object", f"{value.get('object')!r}, expected {name!r}")
        for key, tp in (("has_more", bool), ("url", str)):
            if key not in value:
                self.fail("missing", prefix + key, f"required by a {name} object")
            elif type(value[key]) is not tp:
                self.fail("type", prefix + key, f"{kind_of(value[key])}, expected {tp.__name__}")
        known = {"object", "has_more", "url", "data"}
        if name == "search_result":
            known |= {"next_page", "total_count"}
            if not isinstance(value.get("next_page"), (str, NONE)):
                self.fail("type", prefix + "next_page", "expected a string or null")
            if value.get("has_more") and not value.get("next_page"):
                self.fail("missing", prefix + "next_page", "has_more is true without a next_page")
        if "data" not in value:
            self.fail("missing", prefix + "data", f"required by a {name} object")
        elif not isinstance(value["data"], list):
            self.fail("type", prefix + "data", f"{kind_of(value['data'])}, expected a list")
        else:
            for number, element in enumerate(value["data"]):
                self.value(element, item, module, f"{prefix}data[{number}]")
        for key in value:
            if key not in known:
                self.fail("extra", prefix + str(key), f"not a field of a {name} object")

    def list_object(self, value: Any, item: Any, module: str, where: str) -> None:
        self._page(value, "list", item, module, where)

    def search_object(self, value: Any, item: Any, module: str, where: str) -> None:
        self._page(value, "search_result", item, module, where)


_RANK = {"type": 3, "object": 3, "unknown_param": 2, "missing": 2, "missing_param": 2, "null": 2}


def _severity(report: Report) -> int:
    return max((_RANK.get(i.kind, 1) for i in report.issues), default=0)


def is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _near(value: Any, literals: Iterable[Any]) -> str:
    match = difflib.get_close_matches(str(value), [str(v) for v in literals if v != ""], 1, 0.7)
    return f" (did you mean {match[0]!r}?)" if match else ""
