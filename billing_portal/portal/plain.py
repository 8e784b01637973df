"""Pages outside the skin: for people who are not signed in, and for what went wrong. No script at all, so the
strict policy holds for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from billing_portal.portal.csp import STRICT, header

# A link in a browser's history is enough: the next site is not to know it.
HEADERS = {
    "Content-Security-Policy": header(STRICT),
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-store",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}


def show_plain(
    request: HttpRequest, template: str, context: Mapping[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    return unskinned(render(request, template, dict(context or {}), status=status))


def say(request: HttpRequest, heading: str, words: str, *, status: int = 200, **more: Any) -> HttpResponse:
    """A page that only says something, and where to go on."""
    return show_plain(request, "plain/message.html", {"heading": heading, "words": words, **more}, status=status)


def unskinned(response: HttpResponse) -> HttpResponse:
    for name, value in HEADERS.items():
        response[name] = value
    return response
