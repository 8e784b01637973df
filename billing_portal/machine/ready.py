"""``ready.json``: where a running installation is found and how to sign in, for people and for programs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from billing_portal.machine.environment import Addresses
from billing_portal.machine.files import write_private
from billing_portal.machine.secrets import Secrets

FILE = "ready.json"


@dataclass(frozen=True)
class Bootstrapped:
    """What ``manage.py bootstrap`` made or found. ``password_holds`` is false once a person changed it."""

    operator: str
    password_holds: bool
    vendor: str
    account: str

    @classmethod
    def read(cls, path: Path) -> "Bootstrapped":
        return cls(**json.loads(path.read_text()))


class ReadyFile:
    """Absent while the installation does not serve; the process ids in it are always the present ones."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        self._content: dict[str, Any] | None = None
        self.withdraw()

    def withdraw(self) -> None:
        self._content = None
        self._path.unlink(missing_ok=True)

    def publish(self, content: Mapping[str, Any], pids: Mapping[str, int]) -> None:
        self._content = dict(content)
        self.update(pids)

    def update(self, pids: Mapping[str, int]) -> None:
        """A child was started again. Nothing to do before the first publication."""
        if self._content is not None:
            write_private(self._path, json.dumps({**self._content, "pids": dict(pids)}, indent=2) + "\n")


def ready_content(addresses: Addresses, kept: Secrets, made: Bootstrapped, stripe: Mapping[str, str]) -> dict[str, Any]:
    """``stripe`` is the environment that names Stripe's address and keys."""
    return {
        "url": addresses.url,
        "operator": made.operator,
        "password": kept.operator_password if made.password_holds else None,
        "vendor": made.vendor,
        "api_key": kept.api_key,
        "stripe": {
            "api_base": stripe.get("STRIPE_API_BASE", "https://api.stripe.com"),
            "secret_key": stripe.get("STRIPE_TEST_SECRET_KEY", ""),
            "account": made.account,
            "webhook_secret": stripe.get("STRIPE_WEBHOOK_SECRETS", "").partition(",")[0],
            "webhook_url": addresses.webhook_url,
        },
        "database_url": addresses.database_url,
        "broker_url": addresses.broker_url,
    }
