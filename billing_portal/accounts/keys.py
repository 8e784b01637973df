"""API keys, made and rolled: what a key may do, and how long an old one lives beside its successor."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from billing_portal.accounts.models import ApiKey, Scope
from customers.errors import Conflict, Invalid
from customers.vendor import Vendor

# How long a rolled key goes on to work, unless the caller says otherwise.
OVERLAP = timedelta(days=7)


def make_key(
    vendor: Vendor, name: str, *, scope: str = Scope.WRITE, expires_at: datetime | None = None, real_now: datetime
) -> tuple[ApiKey, str]:
    """The row, and the key itself, which can never be read again. Raises ``Invalid``."""
    if expires_at is not None and expires_at <= real_now:
        raise Invalid({"expires_at": "Choose a time in the future, or leave it out for a key that does not expire."})
    return ApiKey.issue(vendor, name, scope=scope, expires_at=expires_at, now=real_now)


def roll_key(key: ApiKey, *, expires_at: datetime | None = None, real_now: datetime) -> tuple[ApiKey, str]:
    """A successor of the same name, scope and expiry; the old key goes on to work until ``expires_at``.

    Raises ``Conflict`` where it was rolled or has expired already: of a roll's answer that was lost, nothing
    can be known, so a key has one successor.
    """
    until = expires_at or real_now + OVERLAP
    if until < real_now:
        raise Invalid({"expires_at": "Choose now or a time in the future: until then the old key goes on to work."})
    with transaction.atomic():
        old = ApiKey.objects.of(key.vendor).select_for_update().get(pk=key.pk)
        if old.rolled_at is not None or (old.expires_at is not None and old.expires_at <= real_now):
            state = "was rolled" if old.rolled_at else "has expired"
            raise Conflict(f"The key {old} {state} already. Make a new one.", code="key_not_rollable")
        made = ApiKey.issue(key.vendor, old.name, scope=old.scope, expires_at=old.expires_at, now=real_now)
        old.rolled_at, old.expires_at = real_now, min(until, old.expires_at or until)
        old.save(update_fields=["rolled_at", "expires_at"])
    return made
