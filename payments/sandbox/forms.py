"""Form bodies with nested names: ``lines[0][metadata][a]=1`` -> ``{"lines": [{"metadata": {"a": "1"}}]}``."""

import re
from typing import Any
from urllib.parse import parse_qsl

from payments.sandbox.errors import bad_request

NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)\Z")
BRACKETS = re.compile(r"\[([^\[\]]*)\]")
MAX_FIELDS = 20_000


def decode(text: str) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS):
        _place(root, _keys(name), value)
    return {key: _with_lists(child) for key, child in root.items()}


def _keys(name: str) -> list[str]:
    match = NAME.match(name)
    if not match:
        raise bad_request(f"Invalid parameter name: {name}", param=name)
    return [match.group(1), *BRACKETS.findall(match.group(2))]


def _place(root: dict[str, Any], keys: list[str], value: str) -> None:
    node = root
    for position, key in enumerate(keys[:-1]):
        key = key or _element(node, keys[position + 1])
        child = node.setdefault(key, {})
        if not isinstance(child, dict):
            raise bad_request(f"Invalid object: {keys[0]}", param=keys[0])
        node = child
    node[keys[-1] or str(len(node))] = value


def _element(node: dict[str, Any], following: str) -> str:
    """``a[][x]=1&a[][y]=2``: the element still being filled, or a new one where ``x`` repeats."""
    last = str(len(node) - 1)
    if node and isinstance(node.get(last), dict) and following not in node[last]:
        return last
    return str(len(node))


def _with_lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if node and all(key.isdigit() for key in node):
        return [_with_lists(node[key]) for key in sorted(node, key=int)]
    return {key: _with_lists(child) for key, child in node.items()}
