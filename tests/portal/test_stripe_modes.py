"""Test and live are two connections, and a switch chooses which one acts. And keys of one's own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing_portal.accounts.models import Role
from customers.actors import SCHEDULE
from customers.models import Vendor
from invoicing.gateways import GatewayRejected
from payments.models import StripeConnection, StripeCustomer, StripeWebhookSecret
from payments.sandbox.models import Account, ApiKey, Connection, StoredObject
from payments.stripe import customers
from payments.stripe.gateway import StripeGateway
from tests.payments.stripe.conftest import order_for
from tests.portal.connecting import leave
from tests.portal.scene import Scene, make_scene
from tests.sandbox_server import StripeSandbox

SETTINGS = "/settings/invoicing-payments/"


@pytest.fixture
def scene(stripe_sandbox: StripeSandbox, settings: Any) -> Scene:
    settings.STRIPE_TEST_SECRET_KEY = stripe_sandbox.secret_key
    settings.STRIPE_TEST_CLIENT_ID = stripe_sandbox.client_id
    settings.STRIPE_LIVE_SECRET_KEY, settings.STRIPE_LIVE_CLIENT_ID = stripe_sandbox.open_live_mode()
    made = make_scene()
    Vendor.objects.update(is_test=False, clock_offset=timedelta(0))
    made.vendor.refresh_from_db()
    StripeConnection.objects.update(disconnected_at=timezone.now(), is_active=False)
    return made


@pytest.fixture
def browser(scene: Scene) -> Client:
    browser = Client()
    browser.force_login(scene.operators[Role.OWNER])
    return browser


def page(browser: Client) -> str:
    return browser.get(SETTINGS).content.decode()


def counterpart(scene: Scene) -> StripeCustomer:
    customer = scene.customers["wonka"]
    return customers.generate(customer, actor=SCHEDULE, real_now=timezone.now())


def test_the_switch_chooses_and_nothing_mixes(scene: Scene, browser: Client, stripe_sandbox: StripeSandbox) -> None:
    account, wonka = stripe_sandbox.account, scene.customers["wonka"]
    leave(browser).connect(account)
    in_test = counterpart(scene)
    answer = leave(browser, "live").connect(account)
    assert "is connected in live mode. Another account acts at present" in answer.content.decode()
    live = StripeConnection.objects.of(scene.vendor).get(livemode=True)
    assert Connection.objects.filter(livemode=True).exists()
    gateway = StripeGateway()
    assert gateway.acting_account(scene.vendor.pk) == f"{account}/test/{scene.vendor.pk}"
    issued = gateway.issue_invoice(order_for(wonka, 500), idempotency_key="one", remember=lambda found: None)

    shown = page(browser)
    assert "Use the live account?" in shown
    assert "Not issued yet: 3 invoices. They are issued through the other account." in shown
    browser.post(reverse("portal:stripe_switch", args=["live"]))
    assert gateway.acting_account(scene.vendor.pk) == f"{account}/live/{scene.vendor.pk}"
    assert customers.credential(wonka) is None
    with pytest.raises(GatewayRejected, match="no Stripe customer"):
        gateway.issue_invoice(order_for(wonka, 500), idempotency_key="two", remember=lambda found: None)
    in_live = counterpart(scene)
    assert (in_live.connection, in_live.external_id != in_test.external_id) == (live, True)
    assert StoredObject.objects.get(stripe_id=in_live.external_id).livemode is True
    # What was made in test mode is still acted on there.
    assert gateway.fetch_invoice(f"{account}/test/{scene.vendor.pk}", issued.external_id).status == "draft"
    with pytest.raises(GatewayRejected):
        gateway.fetch_invoice(f"{account}/live/{scene.vendor.pk}", issued.external_id)

    browser.post(reverse("portal:stripe_disconnect", args=["live"]))
    assert gateway.acting_account(scene.vendor.pk) == ""  # the other does not take over by itself
    assert "no account acts" in page(browser)
    browser.post(reverse("portal:stripe_switch", args=["test"]))
    assert customers.credential(wonka) == in_test


def test_what_cannot_be_switched_to_is_said(scene: Scene, browser: Client, stripe_sandbox: StripeSandbox) -> None:
    leave(browser).connect(stripe_sandbox.account)
    refused = browser.post(reverse("portal:stripe_switch", args=["live"]), follow=True)
    assert "No live account is connected. Connect one first." in refused.content.decode()
    Vendor.objects.update(is_test=True)
    refused = browser.post(reverse("portal:stripe_switch", args=["live"]), follow=True)
    assert "A vendor in test mode uses Stripe&#x27;s test mode only." in refused.content.decode()


def test_the_endpoints_of_live_mode_hear_of_test_mode(scene: Scene, stripe_sandbox: StripeSandbox) -> None:
    platform = Account.objects.exclude(client_id="").get()
    for livemode in (False, True):
        Connection.objects.get_or_create(platform=platform, account_id=stripe_sandbox.account, livemode=livemode)
    StoredObject.objects.filter(object="webhook_endpoint").update(livemode=True)
    customer = stripe_sandbox.client().v1.customers.create({"name": "x"})
    stripe_sandbox.client().v1.customers.update(customer.id, {"name": "y"})
    event = StoredObject.objects.get(object="event", type="customer.updated")
    assert event.data["pending_webhooks"] == 1


def test_keys_of_ones_own_are_entered_and_never_shown(
    scene: Scene, browser: Client, stripe_sandbox: StripeSandbox, settings: Any
) -> None:
    ApiKey.objects.create(secret="sk_test_mineMineMine9876", account_id=stripe_sandbox.account)
    settings.STRIPE_TEST_SECRET_KEY = settings.STRIPE_TEST_CLIENT_ID = ""
    assert "Enter keys of your own" in page(browser)
    address = reverse("portal:stripe_keys", args=["test"])
    given = {"secret_key": "sk_test_wrong", "publishable_key": "pk_test_1", "webhook_secret": "whsec_mine"}
    refused = browser.post(address, given).content.decode()
    assert "Stripe does not know this secret key." in refused
    assert "sk_test_wrong" not in refused
    assert "whsec_mine" not in refused
    saved = browser.post(address, {**given, "secret_key": "sk_test_mineMineMine9876"}, follow=True).content.decode()
    assert f"They belong to {stripe_sandbox.account}." in saved
    assert "sk_test_…9876" in saved
    assert "mineMineMine" not in saved + browser.get(address).content.decode()
    assert "whsec_mine" not in saved + browser.get(address).content.decode()

    registered = browser.post(reverse("portal:stripe_endpoint", args=["test"]), follow=True).content.decode()
    assert "Stripe delivers to http://localhost:8000/webhooks/stripe/" in registered
    assert StripeWebhookSecret.objects.exclude(endpoint_id="").get().connection is not None
    for role in (Role.BILLING, Role.SUPPORT, Role.READ_ONLY):
        other = Client()
        other.force_login(scene.operators[role])
        assert other.post(address, given).status_code == 403
        assert other.post(reverse("portal:stripe_endpoint", args=["test"])).status_code == 403


def test_the_platforms_endpoint_is_for_those_who_run_the_installation(
    scene: Scene, browser: Client, stripe_sandbox: StripeSandbox
) -> None:
    leave(browser).connect(stripe_sandbox.account)
    address = reverse("portal:stripe_endpoint", args=["test"])
    assert address not in page(browser)
    assert browser.post(address).status_code == 403
    owner = scene.operators[Role.OWNER]
    owner.is_superuser = owner.is_staff = True
    owner.save()
    assert address in page(browser)
    browser.post(address)
    assert StripeWebhookSecret.objects.get().connection is None
    assert "Update webhook endpoint" in page(browser)
