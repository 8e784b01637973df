"""What is said about settings that do nothing is true."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from customers.settings.policy import SETTING_NAMES, BillingPolicy
from customers.settings.warnings import warnings_for

ROOT = Path(__file__).resolve().parents[2]


def words(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.fixture(scope="module")
def acted_on() -> set[str]:
    """Every setting that the rooms that do the work read, by itself or as a period."""
    files = [path for room in ("invoicing", "payments") for path in (ROOT / room).rglob("*.py")]
    found = {word for path in files for word in words(ast.parse(path.read_text()))}
    return {name for name in SETTING_NAMES if name in found or period(name) in found}


def period(name: str) -> str:
    return name.removesuffix("_length").removesuffix("_unit")


def test_every_setting_is_read_where_the_work_is_done(acted_on: set[str]) -> None:
    assert set(SETTING_NAMES) == acted_on


def test_defaults_need_no_explanation() -> None:
    assert warnings_for(BillingPolicy()) == {}


def test_billing_in_advance_needs_its_first_switch():
    fixed, levels = "invoice_fixed_components_at_start", "invoice_metered_components_at_start"
    assert set(warnings_for(BillingPolicy(**{levels: True, "invoice_overages": True}))) == {levels, "invoice_overages"}
    assert set(warnings_for(BillingPolicy(**{fixed: True, "invoice_overages": True}))) == {"invoice_overages"}
    assert warnings_for(BillingPolicy(**{fixed: True, levels: True, "invoice_overages": True})) == {}
