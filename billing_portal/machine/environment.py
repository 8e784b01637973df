"""The environment that every process of ``up`` runs in."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from billing_portal.machine.ports import HOST
from billing_portal.machine.secrets import Secrets

PROJECT = Path(__file__).resolve().parent.parent.parent
WEBHOOK_PATH = "/webhooks/stripe/"
REAL_STRIPE = ("STRIPE_TEST_SECRET_KEY", "STRIPE_LIVE_SECRET_KEY")


@dataclass(frozen=True)
class Addresses:
    """Where this start of the installation is found. ``sandbox_port`` is None beside the real Stripe."""

    port: int
    sandbox_port: int | None
    database_url: str
    broker_url: str

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def webhook_url(self) -> str:
        return self.url + WEBHOOK_PATH

    @property
    def sandbox_url(self) -> str:
        return f"http://{HOST}:{self.sandbox_port}" if self.sandbox_port else ""


def uses_real_stripe(given: Mapping[str, str]) -> bool:
    return any(given.get(name) for name in REAL_STRIPE)


def child_environment(
    directory: Path, addresses: Addresses, kept: Secrets, given: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Defaults give way to what the caller's environment says; what ``up`` itself decides does not."""
    return {**_defaults(addresses, kept), **_filled(given), **_decided(directory, addresses, kept)}


def _filled(given: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in given.items() if value}


def _defaults(addresses: Addresses, kept: Secrets) -> dict[str, str]:
    return {
        "SECRET_KEY": kept.secret_key,
        "FIELD_ENCRYPTION_KEYS": kept.field_encryption_key,
        "PUBLIC_URL": addresses.url,
        "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
        # A person who tries the product should not wait, nor for a worker that was killed.
        "TICK_SECONDS": "1",
        "CLAIM_LEASE_SECONDS": "15",
    }


def _decided(directory: Path, addresses: Addresses, kept: Secrets) -> dict[str, str]:
    decided = {
        "DJANGO_SETTINGS_MODULE": "billing_portal.settings.development",
        "PYTHONUNBUFFERED": "1",
        # Celery warns whoever is root, at every start; on a machine of one's own that is no news.
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
        "DATABASE_URL": addresses.database_url,
        "REDIS_URL": addresses.broker_url,
        "EMAIL_FILE_PATH": str(directory / "mail"),
        "STATIC_ROOT": str(directory / "static"),
        "WEBHOOKS_ALLOW_LOOPBACK": "true",
        "SANDBOX": "true" if addresses.sandbox_port else "false",
    }
    return decided | (_sandbox(addresses, kept) if addresses.sandbox_port else {})


def _sandbox(addresses: Addresses, kept: Secrets) -> dict[str, str]:
    return {
        "STRIPE_API_BASE": addresses.sandbox_url,
        "STRIPE_CONNECT_BASE": addresses.sandbox_url,
        "STRIPE_TEST_SECRET_KEY": kept.stripe_secret_key,
        # Stripe.js only talks to Stripe: with the sandbox, the key just shows where it belongs.
        "STRIPE_TEST_PUBLISHABLE_KEY": "pk_test_sandbox",
        "STRIPE_TEST_CLIENT_ID": kept.stripe_client_id,
        "STRIPE_WEBHOOK_SECRETS": kept.stripe_webhook_secret,
        # The sandbox has no limit to stay below.
        "STRIPE_TEST_CALLS_PER_SECOND": "0",
    }
