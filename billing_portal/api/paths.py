"""One spelling for every address of the API, without redirects (a redirect loses the body of a POST).

- With or without a trailing slash, and with the double slash that the Python client library writes
  (``/customers//name``).
- Without ``/api/v1`` too, where an API key is sent along: client libraries that are only told a host ask
  for ``/customers/``. Browsers send no such header, so pages for people are never hidden by this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, URLResolver, get_resolver

from billing_portal.api.errors import body, unknown_path
from billing_portal.portal.mishaps import not_found as not_found_page

API_ROOT = "/api/v1"


class ApiPaths:
    """Middleware; stands before everything that looks at the path."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = _api_path(request)
        if path is None:
            return self.get_response(request)
        if "\0" in path or "%00" in request.META.get("QUERY_STRING", ""):
            return JsonResponse(body(400, "The address contains a NUL character.", {"kind": "parse_error"}), status=400)
        request.path = request.path.removesuffix(request.path_info) + path
        request.path_info = path
        return self.get_response(request)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The handler of unknown addresses: JSON for whoever sends a key, the usual page for people."""
    return unknown_path(request) if _carries_key(request) else not_found_page(request)


def _api_path(request: HttpRequest) -> str | None:
    """The address as the URL patterns spell it. None: not an address of the API."""
    parts = [part for part in request.path_info.split("/") if part]
    if parts[:1] == ["api"]:
        return "/" + "/".join(parts)
    if parts and parts[0] in _roots() and not _is_for_people(parts) and _carries_key(request):
        return "/".join([API_ROOT, *parts])
    return None


def _is_for_people(parts: list[str]) -> bool:
    """The Django admin shares its root with one operation."""
    return parts[0] == "admin" and parts[1:2] != ["api_key"]


def _carries_key(request: HttpRequest) -> bool:
    sent = (request.headers.get(name, "") for name in ("X-Authorization", "Authorization"))
    return any(value[:7].lower() == "bearer " for value in sent)


@cache
def _roots() -> frozenset[str]:
    """The first parts of all addresses: customers, meters, ..."""
    return frozenset(root for root in _first_parts(get_resolver("billing_portal.api.urls").url_patterns) if root)


def _first_parts(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    for pattern in patterns:
        route = str(pattern.pattern)
        if isinstance(pattern, URLResolver) and not route:
            yield from _first_parts(pattern.url_patterns)
        elif not route.startswith("<"):
            yield route.split("/")[0]
