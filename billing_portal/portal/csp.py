"""The Content-Security-Policy: everything from our own host, no inline script, never inside a frame.

unfold's Alpine evaluates the expressions in its templates and sets styles, so the pages in its skin,
and only those, may do both.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

STRICT = {
    "default-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
SKINNED = STRICT | {
    "img-src": "'self' data:",
    "script-src": "'self' 'unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",
}
# What pages could ask a browser for, and none of ours does.
NOTHING = ", ".join(
    f"{feature}=()" for feature in "camera microphone geolocation payment usb display-capture browsing-topics".split()
)


def header(policy: dict[str, str]) -> str:
    return "; ".join(f"{directive} {sources}" for directive, sources in policy.items())


class ContentSecurityPolicyMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        policy = SKINNED if is_skinned(request) else STRICT
        response.headers.setdefault("Content-Security-Policy", header(policy))
        response.headers.setdefault("Permissions-Policy", NOTHING)
        return response


def is_skinned(request: HttpRequest) -> bool:
    match = request.resolver_match
    return match is not None and match.app_name in ("admin", "portal")
