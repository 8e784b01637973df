"""Secrets at rest: encrypted with the installation's own keys, so that a stolen dump of the database tells nothing."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

if TYPE_CHECKING:
    TextField = models.TextField[str, str]
else:
    TextField = models.TextField


class EncryptedTextField(TextField):
    """Text in Python, a Fernet token in the database. It cannot be searched for: each token differs."""

    def get_prep_value(self, value: Any) -> Any:
        text = super().get_prep_value(value)
        return encrypt(text) if text else text

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        return decrypt(value) if value else value


def encrypt(text: str) -> str:
    return _cipher(*_keys()).encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    try:
        return _cipher(*_keys()).decrypt(token.encode()).decode()
    except InvalidToken:
        remedy = "None of FIELD_ENCRYPTION_KEYS opens a stored secret. Put the key it was written with back at the end."
        raise ImproperlyConfigured(remedy) from None


def newest(token: str | bytes) -> bool:
    """Whether the first key alone opens it."""
    try:
        _cipher(_keys()[0]).decrypt(token)
    except InvalidToken:
        return False
    return True


def rotated(token: str | bytes) -> bytes:
    """The same under the first key. Raises ``InvalidToken`` where no key opens it."""
    return _cipher(*_keys()).rotate(token)


def _keys() -> tuple[str, ...]:
    """The first writes, all of them read. Without any (development) one follows from ``SECRET_KEY``."""
    if settings.FIELD_ENCRYPTION_KEYS:
        return tuple(settings.FIELD_ENCRYPTION_KEYS)
    return (base64.urlsafe_b64encode(hashlib.sha256(settings.SECRET_KEY.encode()).digest()).decode(),)


@lru_cache(maxsize=8)
def _cipher(*keys: str) -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        remedy = "FIELD_ENCRYPTION_KEYS takes keys of 32 bytes in URL-safe base64, separated by commas, newest first."
        raise ImproperlyConfigured(remedy) from None
