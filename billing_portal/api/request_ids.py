"""A name for each request, in the answer and in every line that is logged meanwhile: ``X-Request-Id``.

The caller may choose it; what does not look like an id is replaced. (Logging is set up before any model may be
imported, so this module knows of none.)
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from customers import log_context

HEADER = "X-Request-Id"
REQUEST_ID = "request_id"

logger = logging.getLogger("billing_portal.requests")

_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class RequestIds:
    """Middleware; the outermost, so that whatever answers carries the id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        sent = request.headers.get(HEADER, "")
        name = sent if _ID.fullmatch(sent) else uuid.uuid4().hex
        with log_context.about(**{REQUEST_ID: name}):
            began = time.monotonic()
            response = self.get_response(request)
            _log(request, response, time.monotonic() - began)
        response[HEADER] = name
        return response


def _log(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    """The route instead of the path: some paths are permissions."""
    route = getattr(request.resolver_match, "route", "") or "(no route)"
    fields = {"method": request.method, "route": route, "status": response.status_code}
    fields["milliseconds"] = round(seconds * 1000)
    logger.info("%s %s %s", request.method, route, response.status_code, extra={"fields": fields})


class NameRequest(logging.Filter):
    """``{request_name}`` in a line's format: the id in brackets, or nothing outside of requests."""

    def filter(self, record: logging.LogRecord) -> bool:
        name = log_context.known().get(REQUEST_ID)
        record.request_name = f" [{name}]" if name else ""
        return True
