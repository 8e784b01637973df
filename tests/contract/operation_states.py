"""docs/api-operations.json: every operation that existing client libraries know, and ours beside them, with its state.

Read from the router and from the schema that is served. After a change: ``uv run .ci/write_operations.py``
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.urls import Resolver404, resolve

from tests.contract.octane_surface import ROOT, served_twice, surface
from tests.contract.served_schema import operations

FILE = Path(__file__).resolve().parents[2] / "docs" / "api-operations.json"
COMMAND = "uv run .ci/write_operations.py"

SUPPORTED, NOT_BUILT, MISSING, BEYOND = "supported", "not built", "missing", "ours"

Row = dict[str, str]


def table() -> list[Row]:
    """Theirs in the order of the surface, then ours beyond it."""
    served = {(theirs["method"], theirs["path"]): ours for theirs, ours in served_twice()}
    theirs = [_row(one, served.get((one["method"], one["path"]))) for one in surface()["operations"]]
    beyond = [found for found in operations() if found not in served.values()]
    return [*theirs, *(_ours(method, path) for method, path in sorted(beyond, key=lambda found: found[::-1]))]


def _row(theirs: dict[str, Any], ours: tuple[str, str] | None) -> Row:
    row = {"method": theirs["method"], "path": theirs["path"]}
    if ours is not None:
        return {**row, "state": SUPPORTED, "operation": operations()[ours]["operationId"]}
    return {**row, "state": NOT_BUILT if answers_501(theirs["method"], theirs["path"]) else MISSING}


def _ours(method: str, path: str) -> Row:
    name = operations()[method, path]["operationId"]
    return {"method": method.upper(), "path": path.removeprefix(ROOT), "state": BEYOND, "operation": name}


def answers_501(method: str, path: str) -> bool:
    try:
        view: Any = resolve(spelt(path)).func
    except Resolver404:
        return False
    return view.__module__ == "billing_portal.api.not_built" and method.lower() in view.initkwargs["http_method_names"]


def spelt(path: str, **values: str) -> str:
    """``/customers/{name}`` with something in place of each parameter."""
    parts = (values.get(part[1:-1], "x") if part.startswith("{") else part for part in path.strip("/").split("/"))
    return "/".join([ROOT, *parts])


def written() -> str:
    """A line an operation, so that changes are seen line by line."""
    return "[\n" + ",\n".join(f"  {json.dumps(row)}" for row in table()) + "\n]\n"


def in_state(state: str) -> Iterator[Row]:
    return (row for row in table() if row["state"] == state)
