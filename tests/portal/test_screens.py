"""Every screen renders for every role, and shows only what belongs to the vendor."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from billing_portal.accounts.models import Role
from tests.factories import VendorFactory
from tests.portal.scene import PEOPLE, Scene, make_operator

PAGES = {
    "dashboard": lambda scene: reverse("portal:dashboard"),
    "invoices": lambda scene: reverse("portal:invoices"),
    "generated invoice": lambda scene: reverse("portal:invoice", args=[scene.invoices["generated"].uuid]),
    "failed invoice": lambda scene: reverse("portal:invoice", args=[scene.invoices["payment-failed"].uuid]),
    "paid invoice": lambda scene: reverse("portal:invoice", args=[scene.invoices["acme-january"].uuid]),
    "customers": lambda scene: reverse("portal:customers"),
    "customer": lambda scene: reverse("portal:customer", args=["acme"]),
    "customer without anything": lambda scene: reverse("portal:customer", args=["wonka"]),
    "customer invoices": lambda scene: reverse("portal:customer_invoices", args=["acme"]),
    "customer payments": lambda scene: reverse("portal:customer_payments", args=["acme"]),
    "customer settings": lambda scene: reverse("portal:customer_settings", args=["acme"]),
    "customer override": lambda scene: reverse("portal:customer_settings", args=["wayne"]),
    "customer activity": lambda scene: reverse("portal:customer_activity", args=["initech"]),
    "billing settings": lambda scene: reverse("portal:billing_settings"),
    "test clock": lambda scene: reverse("portal:test_clock"),
}

LISTS = ["dashboard", "invoices", "customers", "billing settings", "test clock"]

SignedIn = Callable[..., Client]


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("page", PAGES)
def test_each_screen_renders_for_each_role(scene: Scene, signed_in: SignedIn, page: str, role: Role) -> None:
    response = signed_in(role).get(PAGES[page](scene))
    assert response.status_code == 200
    assert "Northwind Cloud" in response.content.decode()


@pytest.mark.parametrize("page", PAGES)
def test_nobody_sees_a_screen_without_signing_in(scene: Scene, client: Client, page: str) -> None:
    address = PAGES[page](scene)
    response = client.get(address)
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("portal:sign_in"))


OF_ONE_VENDOR = [page for page in PAGES if page not in LISTS]


@pytest.mark.parametrize("page", OF_ONE_VENDOR)
def test_what_belongs_to_another_vendor_is_not_found(scene: Scene, page: str) -> None:
    browser = Client()
    browser.force_login(make_operator(VendorFactory(), Role.OWNER))
    assert browser.get(PAGES[page](scene)).status_code == 404


@pytest.mark.parametrize("page", LISTS)
def test_lists_hold_nothing_of_another_vendor(scene: Scene, page: str) -> None:
    browser = Client()
    browser.force_login(make_operator(VendorFactory(), Role.OWNER))
    shown = browser.get(PAGES[page](scene)).content.decode()
    assert not [name for _, name, _, _ in PEOPLE if name in shown]
    assert "INV-" not in shown
