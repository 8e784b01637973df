"""Two signatures on every delivery: the one Octane's receivers know, and Standard Webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime


def signature_headers(secrets: Sequence[str], message_id: str, body: bytes, *, real_now: datetime) -> dict[str, str]:
    """``Octane-Signature`` is HMAC-SHA256 of the raw body in hex, keyed by the first secret's text. The
    ``webhook-*`` headers follow Standard Webhooks 1.0, one signature for each secret, keyed by its decoded bytes."""
    timestamp = str(int(real_now.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return {
        "Octane-Signature": hmac.new(secrets[0].encode(), body, hashlib.sha256).hexdigest(),
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_standard(secret, signed) for secret in secrets),
    }


def _standard(secret: str, signed: bytes) -> str:
    digest = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
