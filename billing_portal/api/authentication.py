"""Which vendor is asking, how often, and may the key do this? Asked once, here, for every endpoint.

The vendor is found by the API key, in either header that client libraries send.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from billing_portal.accounts.models import ApiKey, Scope, hash_key
from billing_portal.api import rate_limits
from customers import log_context
from customers.actors import Access

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
        log_context.note(vendor=key.vendor.name)
        _note_use(key, real_now)
        rate_limits.count(request, key, real_now)
        _check_scope(request, key)
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
    due = real_now - _USE_NOTED_EVERY
    if key.last_used_at is None or key.last_used_at < due:
        unnoted = Q(last_used_at__isnull=True) | Q(last_used_at__lt=due)
        ApiKey.objects.of(key.vendor).filter(unnoted, pk=key.pk).update(last_used_at=real_now)


def _check_scope(request: Request, key: ApiKey) -> None:
    """An endpoint says what it asks of a key; one that says nothing asks for everything."""
    says = getattr((request.parser_context or {}).get("view"), "access_of", None)
    asked = says(request.method) if says else Access.WRITE
    if not key.may(asked):
        made_for = Scope(key.scope).label.lower()
        raise PermissionDenied(f"The API key {key} was made to {made_for}. Use a key whose scope allows this.")
