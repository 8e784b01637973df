"""Stripe's limits on texts. Whatever is longer is cut: no invoice fails for its wording."""

from __future__ import annotations

MEMO = 1500
FOOTER = 5000
LINE = 5000
TAX_NAME = 50
METADATA_VALUE = 500


def cut(text: str, longest: int) -> str:
    """At most so many characters, with an ellipsis where something is missing."""
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"
