"""API keys: made and shown once, revoked, by owners only."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing_portal.accounts.models import ApiKey, Role, hash_key
from tests.factories import VendorFactory
from tests.portal.scene import NOW, Scene, make_operator

SignedIn = Callable[..., Client]


def valid(scene: Scene) -> list[str]:
    return [row.name for row in ApiKey.objects.of(scene.vendor).valid(timezone.now())]


def test_a_key_is_shown_once_and_works(scene: Scene, signed_in: SignedIn) -> None:
    client, address = signed_in(), reverse("portal:api_keys")
    assert "No API keys yet" in client.get(address).content.decode()
    response = client.post(address, {"name": "Backend"})
    key = response.context["key"]
    assert key in response.content.decode()
    assert ApiKey.objects.of(scene.vendor).get(name="Backend").hash == hash_key(key)
    assert client.get("/api/v1/meters/", headers={"authorization": f"Bearer {key}"}).status_code == 200
    later = client.get(address).content.decode()
    assert "Backend" in later
    assert key not in later


def test_a_revoked_key_opens_nothing(scene: Scene, signed_in: SignedIn) -> None:
    row, key = ApiKey.issue(scene.vendor, "Backend", now=NOW)
    ApiKey.issue(scene.vendor, "Other", now=NOW)
    page = signed_in().post(reverse("portal:revoke_api_key", args=[row.uuid]), follow=True).content.decode()
    assert "is revoked. Requests with it are refused from now on." in page
    assert valid(scene) == ["Other"]
    assert Client().get("/api/v1/meters/", headers={"authorization": f"Bearer {key}"}).status_code == 401


def test_a_key_for_one_purpose_until_some_day(scene: Scene, signed_in: SignedIn) -> None:
    client, address = signed_in(), reverse("portal:api_keys")
    key = client.post(address, {"name": "Meters", "scope": "measurements", "expires_at": "2999-01-01T00:00"}).context[
        "key"
    ]
    assert Client().get("/api/v1/meters/", headers={"authorization": f"Bearer {key}"}).status_code == 403
    assert "Send measurements only" in client.get(address).content.decode()
    refused = client.post(address, {"name": "Late", "expires_at": "2020-01-01T00:00"})
    assert list(refused.context["form"].errors) == ["expires_at"]
    assert valid(scene) == ["Meters"]


@pytest.mark.parametrize(("days", "old_works"), [("7", True), ("0", False)])
def test_a_rolled_key_works_as_long_as_was_chosen(
    scene: Scene, signed_in: SignedIn, days: str, old_works: bool
) -> None:
    row, old = ApiKey.issue(scene.vendor, "Backend", now=NOW)
    address = reverse("portal:roll_api_key", args=[row.uuid])
    response = signed_in().post(address, {"overlap": days})
    new = response.context["key"]
    assert new in response.content.decode()
    for key, works in ((new, True), (old, old_works)):
        found = Client().get("/api/v1/meters/", headers={"authorization": f"Bearer {key}"})
        assert found.status_code == (200 if works else 401)
    again = signed_in().post(address, {"overlap": days}, follow=True).content.decode()
    assert "already. Make a new one." in again
    assert "Say how long" in signed_in().post(address, {"overlap": "999"}, follow=True).content.decode()
    assert ApiKey.objects.of(scene.vendor).count() == 2


def test_a_key_needs_a_name(scene: Scene, signed_in: SignedIn) -> None:
    response = signed_in().post(reverse("portal:api_keys"), {"name": " "})
    assert list(response.context["form"].errors) == ["name"]
    assert valid(scene) == []


@pytest.mark.parametrize("role", [Role.BILLING, Role.SUPPORT, Role.READ_ONLY])
def test_only_owners_make_and_revoke_keys(scene: Scene, signed_in: SignedIn, role: Role) -> None:
    row, _ = ApiKey.issue(scene.vendor, "Backend", now=NOW)
    client = signed_in(role)
    assert client.post(reverse("portal:api_keys"), {"name": "Mine"}).status_code == 403
    assert client.post(reverse("portal:revoke_api_key", args=[row.uuid])).status_code == 403
    assert client.post(reverse("portal:roll_api_key", args=[row.uuid]), {"overlap": "7"}).status_code == 403
    assert "Create key" not in client.get(reverse("portal:api_keys")).content.decode()
    assert valid(scene) == ["Backend"]


def test_keys_are_not_touched_by_looking_by_strangers_or_without_the_form(scene: Scene, signed_in: SignedIn) -> None:
    row, _ = ApiKey.issue(scene.vendor, "Backend", now=NOW)
    address = reverse("portal:revoke_api_key", args=[row.uuid])
    assert signed_in().get(address).status_code == 405
    stranger = Client()
    stranger.force_login(make_operator(VendorFactory(), Role.OWNER))
    assert stranger.post(address).status_code == 404
    assert "Backend" not in stranger.get(reverse("portal:api_keys")).content.decode()
    forger = Client(enforce_csrf_checks=True)
    forger.force_login(scene.operators[Role.OWNER])
    assert forger.post(address).status_code == 403
    assert valid(scene) == ["Backend"]
