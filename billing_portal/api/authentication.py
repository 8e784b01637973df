"""Which vendor is asking? Found by the API key, in either header that client libraries send."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from billing_portal.accounts.models import ApiKey, hash_key

# Writing the time of use on every request would turn each read into a write.
_USE_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class KeyHolder:
    """``request.user`` of an API request: no person, but somebody who may come in."""

    name: str
    is_authenticated: bool = True
    is_anonymous: bool = False

    def __str__(self) -> str:
        return self.name


class ApiKeyAuthentication(BaseAuthentication):
    """``request.auth`` becomes the ``ApiKey``, its vendor already loaded."""

    def authenticate(self, request: Request) -> tuple[KeyHolder, ApiKey] | None:
        token = bearer_token(request)
        if token is None:
            return None
        real_now = timezone.now()
        key = ApiKey.objects.valid(real_now).select_related("vendor").filter(hash=hash_key(token)).first()
        if key is None:
            raise AuthenticationFailed("This API key is unknown or has expired.")
        _note_use(key, real_now)
        return KeyHolder(key.name), key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def bearer_token(request: Request) -> str | None:
    """The key from ``Authorization`` or ``X-Authorization``. None: neither carries a bearer token."""
    for header in ("Authorization", "X-Authorization"):
        scheme, _, token = request.headers.get(header, "").strip().partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return token.strip()
    return None


def _note_use(key: ApiKey, real_now: datetime) -> None:
    if key.last_used_at is None or key.last_used_at < real_now - _USE_NOTED_EVERY:
        ApiKey.objects.of(key.vendor).filter(pk=key.pk).update(last_used_at=real_now)
