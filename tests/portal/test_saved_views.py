"""Views of lists: one's own, shared ones, and what opens below a row."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client, override_settings
from django.urls import reverse

from billing_portal.accounts.models import Role
from billing_portal.lists.models import SavedView
from tests.factories import VendorFactory
from tests.portal.scene import Scene, make_operator

SignedIn = Callable[..., Client]
SAVE = reverse("portal:save_view", args=["invoices"])
LIST = reverse("portal:invoices")


def shown(client: Client) -> str:
    return client.get(LIST).content.decode()


def test_a_view_is_kept_shared_and_deleted(scene: Scene, signed_in: SignedIn) -> None:
    olivia, sam = signed_in(Role.BILLING), signed_in(Role.SUPPORT)
    query = "status=failed&amount_from=100&before=1_2_3&nonsense=1"
    kept = olivia.post(SAVE, {"name": "Big trouble", "query": query, "is_shared": "on"})
    assert kept["Location"] == f"{LIST}?status=failed&amount_from=100"
    olivia.post(SAVE, {"name": "Only mine", "query": "q=acme"})
    assert "Only mine" in shown(olivia)
    assert "Big trouble" in shown(sam)
    assert "Only mine" not in shown(sam)
    page = sam.get(f"{LIST}?status=failed&amount_from=100").content.decode()
    assert 'aria-current="true"' in page[page.index("bp-views") : page.index("Big trouble")]

    big = SavedView.objects.of(scene.vendor).get(name="Big trouble")
    assert sam.post(reverse("portal:delete_view", args=[big.pk])).status_code == 404
    assert signed_in(Role.OWNER).post(reverse("portal:delete_view", args=[big.pk])).status_code == 302
    assert "Big trouble" not in shown(sam)


def test_what_is_refused(scene: Scene, signed_in: SignedIn) -> None:
    reader = signed_in(Role.READ_ONLY)
    reader.post(SAVE, {"name": "Mine", "query": "", "is_shared": "on"})
    assert not SavedView.objects.get().is_shared
    assert "already" in reader.post(SAVE, {"name": "Mine", "query": ""}, follow=True).content.decode()
    assert "Give the view a name" in reader.post(SAVE, {"name": " "}, follow=True).content.decode()
    assert reader.get(SAVE).status_code == 405
    assert reader.post(reverse("portal:save_view", args=["meters"]), {"name": "x"}).status_code == 404
    stranger = Client()
    stranger.force_login(make_operator(VendorFactory(), Role.OWNER))
    SavedView.objects.update(is_shared=True)
    assert "Mine" not in shown(stranger)
    assert stranger.post(reverse("portal:delete_view", args=[SavedView.objects.get().pk])).status_code == 404


def test_a_row_opens(scene: Scene, signed_in: SignedIn) -> None:
    address = reverse("portal:invoice_glance", args=[scene.invoices["payment-failed"].uuid])
    assert address in shown(signed_in())
    page = signed_in(Role.READ_ONLY).get(address).content.decode()
    for text in ("API requests", "$99.00", "Failed, $273.44", "Your card was declined."):
        assert text in page
    stranger = Client()
    stranger.force_login(make_operator(VendorFactory(), Role.OWNER))
    assert stranger.get(address).status_code == 404


def test_what_is_in_stripe_is_a_click_away_and_only_there(scene: Scene, signed_in: SignedIn) -> None:
    invoice = scene.invoices["payment-failed"]
    type(invoice).objects.filter(pk=invoice.pk).update(gateway_account=scene.connection.reference)
    address = reverse("portal:invoice", args=[invoice.uuid])
    there = f"https://dashboard.stripe.com/{scene.connection.account_id}/test/"
    with override_settings(STRIPE_API_BASE="https://api.stripe.com"):
        page = signed_in().get(address).content.decode()
    assert f"{there}invoices/in_1initech" in page
    assert f"{there}payments/pi_1initech" in page
    with override_settings(STRIPE_API_BASE="http://127.0.0.1:9"):
        assert "dashboard.stripe.com" not in signed_in().get(address).content.decode()
