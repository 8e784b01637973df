"""A name for each request, in the answer and in every line that is logged meanwhile: ``X-Request-Id``.

The caller may choose it; what does not look like an id is replaced. (Logging is set up before any model may be
imported, so this module knows of none.)
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-Id"

_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_current: ContextVar[str] = ContextVar("request id", default="")


class RequestIds:
    """Middleware; the outermost, so that whatever answers carries the id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        sent = request.headers.get(HEADER, "")
        name = sent if _ID.fullmatch(sent) else uuid.uuid4().hex
        token = _current.set(name)
        try:
            response = self.get_response(request)
        finally:
            _current.reset(token)
        response[HEADER] = name
        return response


class NameRequest(logging.Filter):
    """``{request_name}`` in a line's format: the id in brackets, or nothing outside of requests."""

    def filter(self, record: logging.LogRecord) -> bool:
        name = _current.get()
        record.request_name = f" [{name}]" if name else ""
        return True
