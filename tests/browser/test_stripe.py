"""Connecting a Stripe account on the consent page of the sandbox, in a real browser that leaves and comes back."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from billing_portal.accounts.models import Role
from payments.models import StripeConnection
from tests.browser.conftest import sign_in
from tests.portal.scene import Scene
from tests.sandbox_server import StripeSandbox

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(browser: Browser, live_server: LiveServer, scene: Scene, stripe_sandbox: StripeSandbox, settings: Any) -> Page:
    settings.STRIPE_TEST_SECRET_KEY = stripe_sandbox.secret_key
    settings.STRIPE_TEST_CLIENT_ID = stripe_sandbox.client_id
    StripeConnection.objects.update(account_id=stripe_sandbox.account)
    page = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=live_server.url).new_page()
    sign_in(page, scene, Role.OWNER)
    return page


def test_disconnect_and_connect_again(page: Page, scene: Scene, stripe_sandbox: StripeSandbox) -> None:
    page.goto("/settings/invoicing-payments/")
    page.get_by_role("button", name="Disconnect…").click()
    dialog = page.get_by_role("dialog", name="Disconnect this Stripe account?")
    expect(dialog).to_contain_text("Not issued yet: 3 invoices.")
    dialog.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_text(f"The Stripe account {stripe_sandbox.account} is disconnected.")).to_be_visible()

    page.get_by_role("button", name="Connect with Stripe").click()
    expect(page.get_by_role("heading", name="Connect to Sandbox platform")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="Stripe was not connected")).to_be_visible()

    page.get_by_role("button", name="Connect with Stripe").click()
    page.get_by_label("Sandbox test account").check()
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_text(f"{stripe_sandbox.account} is connected in test mode.")).to_be_visible()
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("Stripe knows the account as Sandbox test account")).to_be_visible()
    connection = StripeConnection.objects.of(scene.vendor).get()
    assert (connection.pk, connection.is_active) == (scene.connection.pk, True)
