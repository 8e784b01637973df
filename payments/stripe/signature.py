"""Was this body sent by Stripe, just now?"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Sequence

# Seconds by which a signature may be older or newer than our clock.
TOLERANCE = 300


class BadSignature(Exception):
    """The message says what is wrong with it."""


def verify(body: bytes, header: str, secrets: Collection[str], *, at: float) -> str:
    """The one of ``secrets`` that signed this very body around ``at`` (epoch seconds), else ``BadSignature``."""
    if not secrets:
        raise BadSignature("No webhook secret is configured.")
    timestamp, signatures = _parse(header)
    signed = b"%d.%s" % (timestamp, body)
    signer = next((secret for secret in secrets if _signed_by(secret, signed, signatures)), None)
    if signer is None:
        raise BadSignature("The signature does not match the body.")
    if abs(at - timestamp) > TOLERANCE:
        raise BadSignature("The signature is too old or from the future.")
    return signer


def sign(body: bytes, secret: str, *, at: int) -> str:
    """The header's value, as Stripe writes it."""
    return f"t={at},v1={_digest(secret, b'%d.%s' % (at, body))}"


def _parse(header: str) -> tuple[int, list[bytes]]:
    parts = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    signatures = [value.encode() for name, _, value in parts if name == "v1"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit()) or len(times[0]) > 12 or not signatures:
        raise BadSignature("The Stripe-Signature header is missing or malformed.")
    return int(times[0]), signatures


def _signed_by(secret: str, signed: bytes, signatures: Sequence[bytes]) -> bool:
    expected = _digest(secret, signed).encode()
    return any(hmac.compare_digest(expected, signature) for signature in signatures)


def _digest(secret: str, signed: bytes) -> str:
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
