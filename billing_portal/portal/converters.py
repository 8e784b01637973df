"""Code names in addresses. They may hold any character; a slash or a lone dot would be another address."""

from __future__ import annotations

ESCAPES = (("~", "~0"), ("/", "~1"))
DOTS = {".": "~2", "..": "~3"}


class CodeName:
    regex = "[^/]+"

    def to_python(self, text: str) -> str:
        for plain, escaped in (*DOTS.items(), *reversed(ESCAPES)):
            text = text.replace(escaped, plain)
        return text

    def to_url(self, name: str) -> str:
        if name in DOTS:
            return DOTS[name]
        for plain, escaped in ESCAPES:
            name = name.replace(plain, escaped)
        return name


class StripeMode:
    """Which of a vendor's two Stripe accounts."""

    regex = "test|live"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value
