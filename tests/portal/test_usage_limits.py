"""Usage against its limits on the customer's page."""

from collections.abc import Callable

from django.test import Client
from django.urls import reverse

from billing_portal.accounts.models import Role
from tests.portal.scene import Scene

SignedIn = Callable[..., Client]


def page(client: Client, name: str) -> str:
    return " ".join(client.get(reverse("portal:customer", args=[name])).content.decode().split())


def test_the_customer_page_shows_usage_against_each_limit(scene: Scene, signed_in: SignedIn) -> None:
    client, component = signed_in(Role.READ_ONLY), scene.plan.metered_components.get()
    assert "Usage limits" not in page(client, "acme")
    component.limit = 4000
    component.save()
    shown = page(client, "acme")
    assert "Usage limits" in shown
    assert "2,472 of 4,000" in shown
    assert "62 %" in shown
    component.limit = 2472
    component.save()
    assert '100 % <span class="bp-small">reached</span>' in page(client, "acme")
