"""Whose request is it? An API key, the account it acts on, and that account's clock."""

import base64
import binascii
from datetime import datetime

from django.http import HttpRequest

from payments.sandbox.errors import no_access, unauthenticated
from payments.sandbox.models import ApiKey, Connection
from payments.sandbox.moments import now
from payments.sandbox.scope import Scope

NO_KEY = (
    "You did not provide an API key. You need to provide your API key in the Authorization header, using "
    "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
)


def scope_of(request: HttpRequest, request_id: str, real_now: datetime) -> Scope:
    key = _api_key(request)
    account = request.headers.get("Stripe-Account") or key.account_id
    if account != key.account_id and not _connected(key, account):
        raise no_access(key.secret, account)
    return Scope(
        account=account,
        livemode=key.livemode,
        now=now(account, key.livemode, real_now),
        real_now=real_now,
        request=request_id,
        idempotency_key=request.headers.get("Idempotency-Key"),
        platform=key.account_id,
    )


def _api_key(request: HttpRequest) -> ApiKey:
    secret = _secret(request.headers.get("Authorization", ""))
    if not secret:
        raise unauthenticated(NO_KEY)
    key = ApiKey.objects.filter(secret=secret).first()
    if key is None:
        raise unauthenticated(f"Invalid API Key provided: {secret[:8]}{'*' * 8}{secret[-4:]}")
    return key


def _secret(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _connected(key: ApiKey, account: str) -> bool:
    """A test key also reaches accounts that were connected in live mode."""
    connections = Connection.objects.filter(platform=key.account_id, account=account)
    return (connections.filter(livemode=True) if key.livemode else connections).exists()
