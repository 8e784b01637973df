"""What ``up`` makes up once for an installation and keeps in its folder."""

import base64
import json
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from billing_portal.machine.files import write_private

FILE = "secrets.json"


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _random(prefix: str = "", size: int = 24) -> str:
    return prefix + secrets.token_urlsafe(size)


def _random_hex(prefix: str) -> str:
    """Stripe's keys and secrets have letters and digits only."""
    return prefix + secrets.token_hex(24)


@dataclass(frozen=True)
class Secrets:
    """Everything that must be the same after the next start."""

    secret_key: str = field(default_factory=lambda: _random(size=50), repr=False)
    field_encryption_key: str = field(default_factory=_fernet_key, repr=False)
    operator_password: str = field(default_factory=lambda: _random(size=12), repr=False)
    api_key: str = field(default_factory=lambda: _random("bp_"), repr=False)
    stripe_secret_key: str = field(default_factory=lambda: _random_hex("sk_test_"), repr=False)
    stripe_client_id: str = field(default_factory=lambda: _random_hex("ca_"))
    stripe_webhook_secret: str = field(default_factory=lambda: _random_hex("whsec_"), repr=False)


def kept_secrets(directory: Path) -> Secrets:
    """Read them; what is missing is made and written down."""
    path = directory / FILE
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    found = Secrets(**{each.name: known[each.name] for each in fields(Secrets) if each.name in known})
    if asdict(found) != known:
        write_private(path, json.dumps(asdict(found), indent=2) + "\n")
    return found
