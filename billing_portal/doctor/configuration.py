"""What the environment says, and whether it opens what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.http.request import validate_host

from billing_portal.doctor.findings import Finding, fine, problem, warning
from customers.crypto import EncryptedTextField

# The newest and the oldest: between them every key that was ever in use has most likely written one.
OPENED = ("pk", "-pk")


def review_settings(real_now: datetime) -> Iterator[Finding]:
    yield from _mode()
    yield from _public_url()
    said = [m for m in checks.run_checks(include_deployment_checks=not settings.DEBUG) if not m.is_silenced()]
    for message in said:
        rate = problem if message.level >= checks.ERROR else warning
        yield rate(f"{message.id}: {message.msg}", message.hint or "`manage.py check --deploy` says more.")
    if not said:
        yield fine("Django's deployment checks have nothing to say.")


def _mode() -> Iterable[Finding]:
    if settings.DEBUG:
        yield problem("DEBUG is on: errors show secrets to everybody.", "Take DEBUG out of the environment.")
    if apps.is_installed("payments.sandbox"):
        remedy = "Set DJANGO_SETTINGS_MODULE=billing_portal.settings.production for every program."
        yield warning("These are the settings for one machine, with the Stripe sandbox.", remedy)


def _public_url() -> Iterable[Finding]:
    address = urlsplit(settings.PUBLIC_URL)
    if not address.hostname:
        yield problem(
            f"PUBLIC_URL is no address: {settings.PUBLIC_URL!r}.", "Write it like https://billing.example.com."
        )
    elif not validate_host(address.hostname, settings.ALLOWED_HOSTS):
        yield problem(
            f"ALLOWED_HOSTS does not have {address.hostname}, the host of PUBLIC_URL: it is answered with 400.",
            f"Add {address.hostname} to ALLOWED_HOSTS.",
        )
    elif address.scheme != "https":
        yield warning(f"PUBLIC_URL is {address.scheme}: links in e-mails lead to an open connection.", "Use https.")
    else:
        yield fine(f"People reach it at {settings.PUBLIC_URL}.")


def open_secrets(real_now: datetime) -> Iterator[Finding]:
    """Stored secrets are read as the programs read them."""
    opened = 0
    for model, field in encrypted_fields():
        name = f"{model._meta.label}.{field.name}"
        try:
            opened += _open(model, field.name)
        except ImproperlyConfigured as error:
            yield problem(f"{name} cannot be read.", str(error))
    if not settings.FIELD_ENCRYPTION_KEYS:
        yield warning("Secrets are encrypted with SECRET_KEY.", "Set FIELD_ENCRYPTION_KEYS before there are any.")
    yield fine(f"{opened} stored secrets were opened." if opened else "No secret is stored yet.")


def encrypted_fields() -> Iterator[tuple[type[models.Model], EncryptedTextField]]:
    for model in apps.get_models():
        for field in model._meta.local_fields:
            if isinstance(field, EncryptedTextField):
                yield model, field


def _open(model: type[models.Model], name: str) -> int:
    filled = model._default_manager.exclude(**{name: ""})
    found: set[Any] = {row for order in OPENED for row in filled.order_by(order).values_list("pk", name)[:1]}
    return len(found)
