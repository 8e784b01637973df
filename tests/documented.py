"""What docs/webhooks.md shows: the example of each event, and the code to copy."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "webhooks.md").read_text()


def examples() -> dict[str, dict[str, Any]]:
    found = re.findall(r"^### `([a-z_.]+)`\n\n[^\n]+\n\n```json\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return {kind: json.loads(text) for kind, text in found}


def code(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL)


def shape(value: Any) -> Any:
    """Names and types, without values."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    return type(value).__name__
