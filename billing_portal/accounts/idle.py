"""A session that nobody uses is over after a while, and each is over a week after signing in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

BEGAN, SEEN = "began", "seen"
# The session is not written for each request.
_NOTED_EVERY = timedelta(minutes=5)


class EndIdleSessions:
    """Middleware, behind the one that says who is signed in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.session.session_key and request.user.is_authenticated:
            _look(request, timezone.now().timestamp())
        return self.get_response(request)


@receiver(user_logged_in)
def begin(request: HttpRequest, **kwargs: Any) -> None:
    """Noted as the session is written anyway."""
    now = timezone.now().timestamp()
    request.session.update({BEGAN: now, SEEN: now})


def _look(request: HttpRequest, now: float) -> None:
    began, seen = (request.session.get(name, now) for name in (BEGAN, SEEN))
    if now - seen > settings.SESSION_IDLE_MINUTES * 60 or now - began > settings.SESSION_COOKIE_AGE:
        logout(request)
    elif SEEN not in request.session or now - seen > _NOTED_EVERY.total_seconds():
        request.session.update({BEGAN: began, SEEN: now})
