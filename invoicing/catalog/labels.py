"""Filters on the labels of an event: which of the events that share a name count on a meter.

A filter is a tree. A leaf is ``{"is_expression": false, "filter": {"key", "operation", "value"}, "not_filter"}``,
a branch ``{"is_expression": true, "expression_operator": "AND" | "OR", "filters": [...], "not_filter"}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from customers.errors import Invalid

Filter = Mapping[str, Any]

_OPERATORS = {"AND": all, "OR": any}
_OPERATIONS = ("EQUALS", "EXISTS")
_DEEPEST = 8
_NODE_KEYS = frozenset({"is_expression", "expression_operator", "filters", "filter", "not_filter"})
_LEAF_KEYS = frozenset({"key", "operation", "value"})


def passes(tree: Filter | None, labels: Mapping[str, str]) -> bool:
    """No filter lets everything pass. Negated EQUALS passes too where the label is absent."""
    if not tree:
        return True
    if _is_branch(tree):
        combine = _OPERATORS[tree.get("expression_operator") or "AND"]
        matched = combine(passes(child, labels) for child in tree["filters"])
    else:
        matched = _leaf_matches(tree["filter"], labels)
    return matched is not bool(tree.get("not_filter"))


def _leaf_matches(leaf: Filter, labels: Mapping[str, str]) -> bool:
    if leaf["operation"] == "EXISTS":
        return leaf["key"] in labels
    return bool(labels.get(leaf["key"]) == leaf["value"])


def _is_branch(tree: Filter) -> bool:
    return bool(tree.get("is_expression", "filters" in tree))


def check(tree: Any, path: str = "event_label_filter", depth: int = 0) -> None:
    """Raises ``Invalid`` naming the part of the tree that is not a filter."""
    if not isinstance(tree, Mapping):
        raise Invalid({path: "Give an object with either 'filter' or 'filters'."})
    _refuse_unknown(tree, _NODE_KEYS, path)
    if depth > _DEEPEST:
        raise Invalid({path: f"Filters may be nested {_DEEPEST} levels deep at most."})
    if _is_branch(tree):
        _check_branch(tree, path, depth)
    else:
        _check_leaf(tree.get("filter"), f"{path}.filter")


def _check_branch(tree: Filter, path: str, depth: int) -> None:
    operator = tree.get("expression_operator") or "AND"
    if operator not in _OPERATORS:
        raise Invalid({f"{path}.expression_operator": f"{operator!r} is not one of AND, OR."})
    children = tree.get("filters")
    if not isinstance(children, list) or not children:
        raise Invalid({f"{path}.filters": "Give a list of at least one filter."})
    for number, child in enumerate(children):
        check(child, f"{path}.filters.{number}", depth + 1)


def _check_leaf(leaf: Any, path: str) -> None:
    if not isinstance(leaf, Mapping):
        raise Invalid({path: "Give an object with 'key', 'operation' and, for EQUALS, 'value'."})
    _refuse_unknown(leaf, _LEAF_KEYS, path)
    if not isinstance(leaf.get("key"), str) or not leaf["key"]:
        raise Invalid({f"{path}.key": "Give the name of a label."})
    if leaf.get("operation") not in _OPERATIONS:
        raise Invalid({f"{path}.operation": f"{leaf.get('operation')!r} is not one of EQUALS, EXISTS."})
    if leaf["operation"] == "EQUALS" and not isinstance(leaf.get("value"), str):
        raise Invalid({f"{path}.value": "EQUALS needs the label's value, as text."})
    if leaf["operation"] == "EXISTS" and leaf.get("value") is not None:
        raise Invalid({f"{path}.value": "EXISTS takes no value; leave it out."})


def _refuse_unknown(given: Filter, known: frozenset[str], path: str) -> None:
    for name in given:
        if name not in known:
            raise Invalid({f"{path}.{name}": f"Not known here. Known: {', '.join(sorted(known))}."})
