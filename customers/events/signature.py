"""Two signatures on every delivery: the one Octane's receivers know, and Standard Webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime


def signature_headers(secret: str, message_id: str, body: bytes, *, real_now: datetime) -> dict[str, str]:
    """``Octane-Signature`` is HMAC-SHA256 of the raw body in hex, keyed by the secret's text. The
    ``webhook-*`` headers follow Standard Webhooks 1.0, keyed by the secret's decoded bytes."""
    timestamp = str(int(real_now.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256).digest()
    return {
        "Octane-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
