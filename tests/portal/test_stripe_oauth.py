"""Connect with Stripe, and the ways in which that can go wrong: each has a page that says what to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.core import mail
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from billing_portal.accounts.models import Membership, Role
from customers.models import Event, Vendor
from invoicing.gateways import GatewayUnavailable
from payments.models import StripeConnection, StripeCustomer
from payments.sandbox.models import Connection, OAuthCode
from tests.factories import VendorFactory
from tests.portal.connecting import CALLBACK, leave
from tests.portal.scene import Scene, make_operator, make_scene
from tests.sandbox_server import StripeSandbox

SETTINGS = "/settings/invoicing-payments/"


@dataclass
class Desk:
    """An owner before the settings, and the sandbox behind them. ``account`` is not connected yet."""

    scene: Scene
    browser: Client
    account: str

    def page(self) -> str:
        return self.browser.get(SETTINGS).content.decode()

    def connections(self) -> list[tuple[str, bool, bool]]:
        rows = StripeConnection.objects.of(self.scene.vendor).filter(disconnected_at=None)
        return list(rows.order_by("pk").values_list("account_id", "livemode", "is_active"))

    def told(self) -> list[tuple[str, str]]:
        rows = Event.objects.of(self.scene.vendor).filter(kind__startswith="stripe.").order_by("pk")
        return list(rows.values_list("kind", "actor_label"))


@pytest.fixture
def desk(stripe_sandbox: StripeSandbox, settings: Any) -> Desk:
    settings.STRIPE_TEST_SECRET_KEY = stripe_sandbox.secret_key
    settings.STRIPE_TEST_CLIENT_ID = stripe_sandbox.client_id
    scene = make_scene()
    StripeConnection.objects.update(disconnected_at=timezone.now(), is_active=False)
    Connection.objects.all().delete()
    browser = Client()
    browser.force_login(scene.operators[Role.OWNER])
    return Desk(scene, browser, stripe_sandbox.account)


def text(answer: Any) -> str:
    return str(answer.content.decode())


def test_connecting_and_disconnecting(desk: Desk) -> None:
    assert "Connect with Stripe" in desk.page()
    back = leave(desk.browser).connect(desk.account)
    assert back.redirect_chain == [(SETTINGS, 302)]
    assert f"The Stripe account {desk.account} is connected in test mode." in text(back)
    assert desk.connections() == [(desk.account, False, True)]
    owner = desk.scene.operators[Role.OWNER].email
    assert f"by {owner}" in text(back)
    connection = StripeConnection.objects.of(desk.scene.vendor).get(disconnected_at=None)
    customer = desk.scene.customers["wonka"]
    StripeCustomer.objects.create(
        vendor=desk.scene.vendor, customer=customer, connection=connection, external_id="cus_1", state="linked"
    )

    gone = desk.browser.post(reverse("portal:stripe_disconnect", args=["test"]), follow=True)
    assert f"The Stripe account {desk.account} is disconnected." in text(gone)
    assert desk.connections() == []
    assert not Connection.objects.exists()
    assert desk.told() == [("stripe.connected", owner), ("stripe.disconnected", owner)]
    assert not StripeConnection.objects.filter(is_notice_due=True).exists()

    leave(desk.browser).connect(desk.account)
    again = StripeConnection.objects.of(desk.scene.vendor).get(disconnected_at=None)
    assert again.pk == connection.pk
    assert StripeCustomer.objects.get(customer=customer).connection == again


def test_no_token_is_kept(desk: Desk) -> None:
    with mock.patch("payments.stripe.client.PlatformClient.exchange_code") as exchange:
        exchange.return_value = {
            "stripe_user_id": "acct_9",
            "livemode": False,
            "scope": "read_write",
            "access_token": "sk_test_theirs",
            "refresh_token": "rt_theirs",
        }
        leave(desk.browser).connect(desk.account)
    row = StripeConnection.objects.of(desk.scene.vendor).filter(account_id="acct_9").values().get()
    assert "theirs" not in repr(row)


def test_access_denied(desk: Desk) -> None:
    visit = leave(desk.browser)
    denied = visit.come_back(visit.answer(desk.account, "deny"))
    assert denied.status_code == 200
    assert "Stripe was not connected" in text(denied)
    assert "Access was denied" in text(denied)
    assert desk.connections() == []


def test_a_state_is_good_once_and_only_in_its_session(desk: Desk) -> None:
    visit = leave(desk.browser)
    given = visit.answer(desk.account)
    stranger = Client()
    stranger.force_login(desk.scene.operators[Role.OWNER])
    refused = stranger.get(reverse(CALLBACK), given)
    assert refused.status_code == 400
    assert "This connection was not started here" in text(refused)
    for wrong in ({**given, "state": "x"}, {"code": given["code"]}, {**given, "state": "\u00e9"}):
        assert desk.browser.get(reverse(CALLBACK), wrong).status_code == 400
    assert desk.connections() == []

    visit.come_back(given)
    assert len(desk.connections()) == 1
    reloaded = visit.come_back(given)
    assert reloaded.status_code == 400
    assert "This answer was used before" in text(reloaded)


def test_a_state_lasts_ten_minutes(desk: Desk) -> None:
    visit = leave(desk.browser)
    given = visit.answer(desk.account)
    with mock.patch("django.utils.timezone.now", return_value=timezone.now() + timedelta(minutes=10, seconds=1)):
        late = visit.come_back(given)
    assert late.status_code == 400
    assert "That took too long" in text(late)
    assert desk.connections() == []
    assert len(OAuthCode.objects.all()) == 1  # Stripe was not asked


def test_a_state_is_for_one_vendor(desk: Desk) -> None:
    visit = leave(desk.browser)
    given = visit.answer(desk.account)
    other = VendorFactory()
    Membership.objects.create(vendor=other, operator=desk.scene.operators[Role.OWNER], role=Role.OWNER)
    desk.browser.post(reverse("portal:choose_vendor"), {"vendor": str(other.uuid)})
    refused = visit.come_back(given)
    assert "You have changed to another vendor meanwhile" in text(refused)
    assert desk.connections() == []


def test_a_code_that_stripe_does_not_accept(desk: Desk) -> None:
    visit = leave(desk.browser)
    given = visit.answer(desk.account)
    OAuthCode.objects.all().delete()
    refused = visit.come_back(given)
    assert refused.status_code == 400
    assert "Stripe no longer accepts this answer" in text(refused)
    assert desk.connections() == []


def test_stripe_out_of_reach(desk: Desk) -> None:
    visit = leave(desk.browser)
    given = visit.answer(desk.account)
    with override_settings(STRIPE_CONNECT_BASE="http://127.0.0.1:9"):
        refused = visit.come_back(given)
    assert refused.status_code == 502
    assert "Stripe could not complete the connection" in text(refused)


@pytest.mark.parametrize(
    ("answer", "title", "remedy"),
    [
        ({"livemode": True}, "wrong mode", "STRIPE_TEST_CLIENT_ID"),
        ({"scope": "read_only"}, "Reading alone is not enough", "read and"),
    ],
)
def test_an_answer_that_is_not_what_was_asked_for(desk: Desk, answer: dict[str, Any], title: str, remedy: str) -> None:
    visit = leave(desk.browser)
    given = visit.answer(desk.account)
    usual = {"stripe_user_id": desk.account, "livemode": False, "scope": "read_write"}
    with mock.patch("payments.stripe.client.PlatformClient.exchange_code", return_value={**usual, **answer}):
        refused = visit.come_back(given)
    assert refused.status_code == 409
    assert title in text(refused)
    assert remedy in text(refused)
    assert desk.connections() == []


def test_an_account_of_another_vendor(desk: Desk) -> None:
    other = VendorFactory()
    StripeConnection.objects.create(vendor=other, account_id=desk.account, connected_at=timezone.now())
    refused = leave(desk.browser).connect(desk.account)
    assert refused.status_code == 409
    assert "This account belongs to another vendor here" in text(refused)
    assert desk.connections() == []


GIVEN_BACK = "The access that was granted just now was given back."


@pytest.mark.parametrize(
    ("user", "answer", "is_given_back"),
    [
        ("nobody", {"scope": "read_only"}, True),
        ("nobody", {"livemode": True}, True),
        ("another vendor", {}, False),
        ("another vendor, live", {"scope": "read_only"}, False),
        ("the same vendor, another account", {}, True),
    ],
)
def test_access_that_was_granted_for_nothing_is_given_back(
    desk: Desk, user: str, answer: dict[str, Any], is_given_back: bool
) -> None:
    from payments.stripe.client import PlatformClient

    visit = leave(desk.browser)
    given = visit.answer(desk.account)
    now, redeem = timezone.now(), PlatformClient.exchange_code
    if "another vendor" in user:
        live = {"livemode": user.endswith("live")}
        StripeConnection.objects.create(vendor=VendorFactory(), account_id=desk.account, connected_at=now, **live)
    elif "same vendor" in user:
        StripeConnection.objects.create(vendor=desk.scene.vendor, account_id="acct_first", connected_at=now)

    def redeemed(self: PlatformClient, code: str) -> Any:
        return {**redeem(self, code), **answer}

    with mock.patch.object(PlatformClient, "exchange_code", redeemed):
        refused = visit.come_back(given)
    assert refused.status_code == 409
    assert Connection.objects.filter(account=desk.account).exists() is not is_given_back
    assert (GIVEN_BACK in text(refused)) is is_given_back


def test_what_cannot_be_given_back_is_not_said_to_be(desk: Desk) -> None:
    visit = leave(desk.browser)
    given = visit.answer(desk.account)
    refusal = GatewayUnavailable("Stripe did not answer.")
    usual = {"stripe_user_id": desk.account, "livemode": False, "scope": "read_only"}
    with (
        mock.patch("payments.stripe.client.PlatformClient.exchange_code", return_value=usual),
        mock.patch("payments.stripe.client.PlatformClient.deauthorize", side_effect=refusal),
    ):
        refused = visit.come_back(given)
    assert refused.status_code == 409
    assert "given back" not in text(refused)


def test_another_account_in_the_same_mode(desk: Desk) -> None:
    visit = leave(desk.browser)
    given = visit.answer(desk.account)
    StripeConnection.objects.create(vendor=desk.scene.vendor, account_id="acct_first", connected_at=timezone.now())
    refused = visit.come_back(given)
    assert refused.status_code == 409
    assert "Another account is connected" in text(refused)
    assert "acct_first" in text(refused)
    started = desk.browser.post(reverse("portal:stripe_connect", args=["test"]), follow=True)
    assert "acct_first is connected. Disconnect it first." in text(started)


def test_only_owners_connect_and_nothing_happens_on_get(desk: Desk) -> None:
    visit = leave(desk.browser)
    given = visit.answer(desk.account)
    for role in (Role.BILLING, Role.SUPPORT, Role.READ_ONLY):
        browser = Client()
        browser.force_login(desk.scene.operators[role])
        for name in ("stripe_connect", "stripe_disconnect", "stripe_switch"):
            assert browser.post(reverse(f"portal:{name}", args=["test"])).status_code == 403
        assert browser.get(reverse(CALLBACK), given).status_code == 403
        assert "Connect with Stripe" not in browser.get(SETTINGS).content.decode()
    for name in ("stripe_connect", "stripe_disconnect", "stripe_switch"):
        assert desk.browser.get(reverse(f"portal:{name}", args=["test"])).status_code == 405
    assert Client().get(reverse(CALLBACK), given)["Location"].startswith("/sign-in/?next=")
    assert desk.connections() == []


def test_what_must_be_set_is_said(desk: Desk) -> None:
    page = desk.page()
    assert "is in test mode, so it uses a test account only." in page
    refused = desk.browser.post(reverse("portal:stripe_connect", args=["live"]), follow=True)
    assert "A vendor in test mode uses Stripe&#x27;s test mode only." in text(refused)
    Vendor.objects.update(is_test=False, clock_offset=timedelta(0))
    page = desk.page()
    assert "Connecting a live account needs" in page
    assert "STRIPE_LIVE_SECRET_KEY" in page
    assert f"http://localhost:8000{reverse(CALLBACK)}" in page
    started = desk.browser.post(reverse("portal:stripe_connect", args=["live"]), follow=True)
    assert "Set STRIPE_LIVE_CLIENT_ID" in text(started) or "Set STRIPE_LIVE_SECRET_KEY" in text(started)


def test_disconnecting_needs_stripe(desk: Desk) -> None:
    leave(desk.browser).connect(desk.account)
    with override_settings(STRIPE_CONNECT_BASE="http://127.0.0.1:9"):
        failed = desk.browser.post(reverse("portal:stripe_disconnect", args=["test"]), follow=True)
    assert "The account is still connected." in text(failed)
    assert desk.connections() == [(desk.account, False, True)]
    with override_settings(STRIPE_TEST_CLIENT_ID="ca_wrong"):
        failed = desk.browser.post(reverse("portal:stripe_disconnect", args=["test"]), follow=True)
    assert "The account is still connected." in text(failed)
    assert desk.connections() == [(desk.account, False, True)]
    Connection.objects.all().delete()  # in Stripe's dashboard, a moment ago
    done = desk.browser.post(reverse("portal:stripe_disconnect", args=["test"]), follow=True)
    assert "is disconnected." in text(done)
    assert desk.connections() == []
    assert desk.told()[-1] == ("stripe.disconnected", desk.scene.operators[Role.OWNER].email)
    assert mail.outbox == []


def test_the_roles_of_another_vendor_do_not_count(desk: Desk) -> None:
    other = VendorFactory()
    StripeConnection.objects.filter(vendor=desk.scene.vendor).update(disconnected_at=None, is_active=True)
    browser = Client()
    browser.force_login(make_operator(other, Role.OWNER, "x@other.example"))
    browser.post(reverse("portal:stripe_disconnect", args=["test"]))
    assert len(desk.connections()) == 1
