"""How a logged line looks: text for a person at a terminal, one JSON object a line for a collector.

Both carry the ids that ``customers/log_context.py`` knows, and neither shows what looks like a secret, wherever it came
from: a driver's error message may quote an address with a password in it. (Logging is set up before any model may be
imported, so this module knows of none.)
"""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

from customers import log_context

HIDDEN = "[hidden]"
_SECRETS = re.compile(
    r"""(?P<before>
        \b(?:sk|rk)_(?:test|live)_ | \bwhsec_ | \bbp_ (?=[\w-]{20})  # keys: Stripe's, webhooks' and ours
        | \b(?:Bearer|Basic)\s+
        | ://[^/@\s"'\\:]*: (?=[^/@\s"'\\]*@)                         # an address with a password
        | :(?=[\w-]{43}\b)                                            # a link's signature
        | \b[0-9a-z]{4,8}- (?=[0-9a-f]{32}\b)                         # the token of a new password
    )[^\s"'\\@,;)]+""",
    re.VERBOSE,
)


def without_secrets(text: str) -> str:
    return _SECRETS.sub(rf"\g<before>{HIDDEN}", text)


class TextLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


class JsonLines(logging.Formatter):
    """``extra={"fields": {...}}`` adds more; nothing else of a record is shown, so that nothing slips through."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **log_context.known(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line |= {"error": record.exc_info[0].__name__, "trace": self.formatException(record.exc_info)}
        return without_secrets(json.dumps(line, ensure_ascii=False, default=str))
