"""A key of FIELD_ENCRYPTION_KEYS is replaced while the installation runs, and the old one can go."""

from __future__ import annotations

from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from billing_portal import reencryption
from billing_portal.api.models import IdempotentRequest
from billing_portal.api.sealing import seal, unseal
from customers.models import WebhookEndpoint
from tests.factories import VendorFactory

OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("reencrypt_secrets", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_an_old_key_goes_and_every_secret_stays(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reencryption, "BATCH", 2)
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    vendor, now = VendorFactory.create(), timezone.now()
    for number in range(5):
        WebhookEndpoint.objects.create(
            vendor=vendor, url=f"https://{number}.example", secret=f"whsec_{number}", created_at=now
        )
    IdempotentRequest.objects.create(vendor=vendor, key="k", sealed_body=seal(b"shown once"), created_at=now)

    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    with pytest.raises(CommandError, match="still needed"):
        said("--check")
    assert "customers.WebhookEndpoint.secret: 5 rewritten, 0 under the newest" in said()
    assert "customers.WebhookEndpoint.secret: 0 rewritten, 5 under the newest" in said()

    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert [row.secret for row in WebhookEndpoint.objects.order_by("pk")] == [f"whsec_{n}" for n in range(5)]
    assert [row.previous_secret for row in WebhookEndpoint.objects.all()] == [""] * 5
    assert unseal(bytes(IdempotentRequest.objects.get().sealed_body)) == b"shown once"
    said("--check")

    settings.FIELD_ENCRYPTION_KEYS = [OTHER]  # the wrong one: said, and nothing is touched
    with pytest.raises(CommandError, match=r"customers\.WebhookEndpoint\.secret \(5\)"):
        said()
    with pytest.raises(ImproperlyConfigured):
        WebhookEndpoint.objects.first()
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert WebhookEndpoint.objects.filter(url="https://3.example").get().secret == "whsec_3"
