"""Signing in and out, choosing a vendor, the test clock, the admin site, and the headers of every page."""

from collections.abc import Callable
from datetime import timedelta
from unittest import mock
from urllib.parse import urlsplit

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing_portal.accounts.models import Membership, Operator, Role
from customers.models import Vendor
from invoicing.invoices.links import page_url
from tests.factories import VendorFactory
from tests.portal.scene import NOW, PASSWORD, Scene

SignedIn = Callable[..., Client]


def test_signing_in_leads_to_where_one_wanted_to_go(scene: Scene, client: Client) -> None:
    wanted = reverse("portal:customer", args=["acme"])
    asked = client.get(wanted)
    answer = client.post(asked["Location"], {"username": scene.operators[Role.OWNER].email, "password": PASSWORD})
    assert answer["Location"] == wanted
    assert client.get(wanted).status_code == 200


def test_signing_in_never_leads_to_another_host(scene: Scene, client: Client) -> None:
    credentials = {"username": scene.operators[Role.OWNER].email, "password": PASSWORD, "next": "https://evil.example/"}
    assert client.post(reverse("portal:sign_in"), credentials)["Location"] == reverse("portal:dashboard")


def test_a_wrong_password(scene: Scene, client: Client) -> None:
    response = client.post(reverse("portal:sign_in"), {"username": scene.operators[Role.OWNER].email, "password": "x"})
    assert "do not belong together" in response.content.decode()
    assert client.get(reverse("portal:dashboard")).status_code == 302


def test_signing_out_is_a_post(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in()
    assert client.get(reverse("portal:sign_out")).status_code == 405
    assert client.get(reverse("portal:dashboard")).status_code == 200
    client.post(reverse("portal:sign_out"))
    assert client.get(reverse("portal:dashboard")).status_code == 302


def test_choosing_between_vendors(scene: Scene, signed_in: SignedIn) -> None:
    other = VendorFactory(display_name="Southwind")
    Membership.objects.create(operator=scene.operators[Role.OWNER], vendor=other, role=Role.READ_ONLY)
    client = signed_in()
    page = client.post(reverse("portal:choose_vendor"), {"vendor": str(other.uuid)}, follow=True).content.decode()
    assert "You now work for Southwind." in page
    assert client.get(reverse("portal:customer", args=["acme"])).status_code == 404
    client.post(reverse("portal:choose_vendor"), {"vendor": str(scene.vendor.uuid)})
    assert client.get(reverse("portal:customer", args=["acme"])).status_code == 200


def test_a_vendor_one_does_not_belong_to_cannot_be_chosen(scene: Scene, signed_in: SignedIn) -> None:
    other = VendorFactory()
    client = signed_in()
    assert client.post(reverse("portal:choose_vendor"), {"vendor": str(other.uuid)}).status_code == 404
    assert client.get(reverse("portal:customer", args=["acme"])).status_code == 200


def test_changing_the_password(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in()
    fresh = "a much longer secret 41"
    sent = {"old_password": PASSWORD, "new_password1": fresh, "new_password2": fresh}
    assert client.post(reverse("portal:change_password"), sent | {"old_password": "x"}).status_code == 200
    assert client.post(reverse("portal:change_password"), sent).status_code == 302
    scene.operators[Role.OWNER].refresh_from_db()
    assert scene.operators[Role.OWNER].check_password(fresh)


def test_moving_the_test_clock(scene: Scene, signed_in: SignedIn) -> None:
    address = reverse("portal:test_clock")
    page = signed_in().post(address, {"target": "2026-03-20T09:30"}, follow=True).content.decode()
    scene.vendor.refresh_from_db()
    assert scene.vendor.clock_target == NOW.replace(day=20, hour=9, minute=30)
    assert "Test clock is moving:" in page


def test_the_test_clock_never_moves_back(scene: Scene, signed_in: SignedIn) -> None:
    page = signed_in().post(reverse("portal:test_clock"), {"target": "2026-01-01T00:00"}).content.decode()
    assert "only moves forward" in page
    scene.vendor.refresh_from_db()
    assert scene.vendor.clock_target is None


@pytest.mark.parametrize("role", [Role.BILLING, Role.SUPPORT, Role.READ_ONLY])
def test_only_owners_move_the_clock(scene: Scene, signed_in: SignedIn, role: Role) -> None:
    assert signed_in(role).post(reverse("portal:test_clock"), {"target": "2026-03-20T09:30"}).status_code == 403
    scene.vendor.refresh_from_db()
    assert scene.vendor.clock_target is None


def test_a_live_vendors_clock_cannot_be_moved(scene: Scene, signed_in: SignedIn) -> None:
    Vendor.objects.filter(pk=scene.vendor.pk).update(is_test=False, clock_offset=timedelta(0))
    page = signed_in().post(reverse("portal:test_clock"), {"target": "2099-01-01T00:00"}).content.decode()
    assert "Only a vendor in test mode" in page


def test_pages_load_nothing_from_elsewhere_and_stand_in_no_frame(scene: Scene, signed_in: SignedIn) -> None:
    policy = signed_in().get(reverse("portal:dashboard"))["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'self' 'unsafe-eval'" in policy


def test_pages_outside_the_skin_are_stricter(scene: Scene, client: Client) -> None:
    """The API and its reference, customers' pages, documents, sign-up, a forgotten password, and what goes wrong."""
    customers_page = urlsplit(page_url(scene.invoices["acme-january"])).path
    addresses = [
        "/healthz", "/api/v1/nowhere", reverse("api-reference"), reverse("openapi"), customers_page,
        f"{customers_page}/pdf", reverse("public:invoice", args=["nothing"]), reverse("portal:join", args=["nothing"]),
        reverse("portal:forgotten_password"), reverse("portal:choose_password", args=["x", "y"]), "/nowhere/",
    ]  # fmt: skip
    for address in addresses:
        policy = client.get(address)["Content-Security-Policy"]
        assert "unsafe" not in policy, address
        assert "default-src 'self'" in policy, address
        assert "frame-ancestors 'none'" in policy, address
        assert "http" not in policy, address


def test_what_goes_wrong_is_said_in_words(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in(Role.READ_ONLY)
    answers = {
        404: client.get("/customers/nobody/"),
        403: client.post(reverse("portal:operators"), {"email": "x@example.com", "role": "owner"}),
    }
    words = {404: "There is nothing at this address", 403: "Your role, Read-only, may not manage operators"}
    for status, answer in answers.items():
        assert answer.status_code == status
        assert words[status] in answer.content.decode()
        assert "unsafe" not in answer["Content-Security-Policy"]
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(scene.operators[Role.OWNER])
    forged = careful.post(reverse("portal:sign_out"))
    assert (forged.status_code, "This page is out of date" in forged.content.decode()) == (403, True)
    assert careful.get(reverse("portal:dashboard")).status_code == 200


def test_a_mistake_of_ours_is_said_in_words(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in()
    client.raise_request_exception = False
    with mock.patch("billing_portal.portal.test_clock.show", side_effect=RuntimeError("boom")):
        answer = client.get(reverse("portal:test_clock"))
    assert answer.status_code == 500
    page = answer.content.decode()
    assert "Something went wrong on our side" in page
    assert "boom" not in page


def test_cookies_are_no_scripts_business(scene: Scene, client: Client) -> None:
    client.get(reverse("portal:sign_in"))
    client.post(reverse("portal:sign_in"), {"username": scene.operators[Role.OWNER].email, "password": PASSWORD})
    for name in ("sessionid", "csrftoken"):
        assert client.cookies[name]["httponly"]
        assert client.cookies[name]["samesite"] == "Lax"


def test_the_admin_site_is_for_superusers_only(scene: Scene, signed_in: SignedIn) -> None:
    assert signed_in().get(reverse("admin:index")).status_code == 302


def test_every_table_can_be_looked_at(scene: Scene, client: Client) -> None:
    client.force_login(Operator.objects.create_superuser("root@example.com", "x"))
    assert client.get(reverse("admin:index")).status_code == 200
    for model in admin.site._registry:
        options = model._meta
        name = f"admin:{options.app_label}_{options.model_name}"
        assert client.get(reverse(f"{name}_changelist")).status_code == 200, name
        row = model._default_manager.first()
        if row is not None:
            assert client.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200, name


def test_what_verbs_write_cannot_be_edited_in_the_admin_site(scene: Scene, client: Client) -> None:
    client.force_login(Operator.objects.create_superuser("root@example.com", "x"))
    invoice = scene.invoices["generated"]
    address = reverse("admin:invoicing_invoice_change", args=[invoice.pk])
    assert client.post(address, {"status": "INVOICE_PAID"}).status_code == 403
    assert client.post(reverse("admin:invoicing_invoice_delete", args=[invoice.pk]), {"post": "yes"}).status_code == 403
    invoice.refresh_from_db()
    assert invoice.status == "INVOICE_GENERATED"


def test_who_stays_away_signs_in_again(scene: Scene, client: Client) -> None:
    """After twelve hours without a request; and a week after signing in, however busy."""
    away, busy = timedelta(hours=12, minutes=6), timedelta(hours=11)
    for step, times in ((away, 1), (busy, 16)):
        client.post(reverse("portal:sign_in"), {"username": scene.operators[Role.OWNER].email, "password": PASSWORD})
        began, seen = timezone.now(), []
        for number in range(times + 1):
            with mock.patch("billing_portal.accounts.idle.timezone.now", return_value=began + number * step):
                seen.append(client.get(reverse("portal:dashboard")).status_code)
        assert seen[0] == 200
        assert seen[-1] == 302
        assert 302 not in seen[:-1]


def test_browsers_are_told_what_pages_never_ask_for(scene: Scene, client: Client) -> None:
    answer = client.get(reverse("portal:sign_in"))
    assert "camera=()" in answer["Permissions-Policy"]
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
