"""Keeping what must not be readable in the database or its backups."""

from __future__ import annotations

import zlib
from base64 import urlsafe_b64encode
from hashlib import sha256

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class Unreadable(Exception):
    """Sealed with a key that is gone."""


def seal(plain: bytes) -> bytes:
    return _box().encrypt(zlib.compress(plain))


def unseal(sealed: bytes) -> bytes:
    try:
        return zlib.decompress(_box().decrypt(sealed))
    except InvalidToken:
        raise Unreadable from None


def _box() -> MultiFernet:
    """The first of ``FIELD_ENCRYPTION_KEYS`` seals, each of them opens, so that keys can be changed."""
    keys = settings.FIELD_ENCRYPTION_KEYS or [urlsafe_b64encode(sha256(settings.SECRET_KEY.encode()).digest())]
    return MultiFernet([Fernet(key) for key in keys])
