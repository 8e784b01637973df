"""What people see when something is not there, not theirs, or went wrong: what happened, and where to go on."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from billing_portal.portal.plain import say

FORGED = (
    "The page that you sent this from was open for too long, or your browser keeps no cookies. Nothing was changed. "
    "Go back, load the page again, and repeat what you did."
)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    words = str(exception) or "You may not do this."
    return say(request, "Not allowed", words, status=403, portal=True, sign_out=request.user.is_authenticated)


def not_found(request: HttpRequest) -> HttpResponse:
    words = "There is nothing at this address, or it belongs to another vendor."
    return say(request, "Not found", words, status=404, portal=True)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's own page tells developers why; this one tells people what to do."""
    return say(request, "This page is out of date", FORGED, status=403, portal=True)


def bad_request(request: HttpRequest) -> HttpResponse:
    words = "The browser sent something that cannot be read. Nothing was changed."
    return say(request, "This request makes no sense", words, status=400, portal=True)


def server_error(request: HttpRequest) -> HttpResponse:
    """Nothing that may be broken is asked for: neither the database nor who is signed in."""
    words = "Something went wrong on our side. It has been logged; please try again in a moment."
    return say(request, "That did not work", words, status=500, portal=True)
