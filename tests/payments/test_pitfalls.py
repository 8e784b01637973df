"""The register of what goes wrong with Stripe (docs/stripe-pitfalls.md) names only what exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (\d+) \|(.*)\|(.*)\|(.*)\|(.*)\|$", re.MULTILINE)
ROWS = {int(row[0]): row[1:] for row in ROW.findall((PROJECT / "docs" / "stripe-pitfalls.md").read_text())}


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@cache
def names_in(path: str) -> set[str]:
    """What a module defines: functions and classes, methods too, and constants."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((PROJECT / path).read_text())):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def test_every_pitfall_has_its_row() -> None:
    assert sorted(ROWS) == list(range(1, 36))


@pytest.mark.parametrize("number", sorted(ROWS))
def test_a_row_names_code_and_tests_that_exist(number: int) -> None:
    what, defence, code, tests = ROWS[number]
    assert what.strip()
    assert defence.strip()
    assert named(code)
    for place in named(code):
        path, _, name = place.partition(": ")
        assert name in names_in(path), place
    assert named(tests)
    for test in named(tests):
        path, _, name = test.partition("::")
        module = import_module(path.removesuffix(".py").replace("/", "."))
        assert callable(getattr(module, name)), test
