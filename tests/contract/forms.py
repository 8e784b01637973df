"""Bracketed form encoding."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from tests.contract.findings import Report


class _FormError(ValueError):
    pass


def _form_keys(name: str) -> list[str]:
    match = re.match(r"([^\[\]]+)((?:\[[^\[\]]*\])*)\Z", name)
    if not match:
        raise _FormError(f"malformed parameter name {name!r}")
    return [match.group(1), *re.findall(r"\[([^\[\]]*)\]", match.group(2))]


class _Node(dict):
    """A decoded container; lists are recognised later, from the schema."""


def decode_form(body: str | bytes, report: Report | None = None) -> dict[str, Any]:
    """Bracketed form encoding -> nested dicts (lists keep their indexes as keys)."""
    report = report if report is not None else Report()
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    root: _Node = _Node()
    for name, value in parse_qsl(body.lstrip("?"), keep_blank_values=True):
        try:
            keys = _form_keys(name)
        except _FormError as error:
            report.add("form", name, str(error))
            continue
        node: _Node = root
        for position, key in enumerate(keys):
            if key == "":
                key = str(sum(1 for k in node if k.isdigit()))
                if position + 1 < len(keys) and node:
                    # a[][x]=1&a[][y]=2 : start a new element when x repeats
                    last = str(max(int(k) for k in node if k.isdigit()))
                    if isinstance(node[last], _Node) and keys[position + 1] not in node[last]:
                        key = last
            if position + 1 == len(keys):
                if key in node:
                    report.add("form", name, "parameter sent more than once")
                node[key] = value
            else:
                child = node.setdefault(key, _Node())
                if not isinstance(child, _Node):
                    report.add("form", name, "sent both as a value and as a container")
                    break
                node = child
    return root


def as_list(value: Any) -> list[Any] | None:
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, Mapping) and value and all(str(k).isdigit() for k in value):
        return [value[k] for k in sorted(value, key=lambda k: int(k))]
    return None
