"""From nothing to a card on file: an operator makes the link, the customer uses it, the operator sees the card."""

from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from billing_portal.accounts.models import Role
from payments.stripe.models import StripeConnection, StripeCustomer
from tests.browser.conftest import sign_in
from tests.portal.scene import Scene
from tests.sandbox_server import StripeSandbox

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_customer_saves_a_card(
    browser: Browser, live_server: LiveServer, scene: Scene, stripe_sandbox: StripeSandbox, settings: Any
) -> None:
    settings.STRIPE_TEST_SECRET_KEY = stripe_sandbox.secret_key
    settings.STRIPE_WEBHOOK_SECRETS = [stripe_sandbox.webhook_secret]
    settings.PUBLIC_URL = live_server.url
    stripe_sandbox.send_webhooks_to(f"{live_server.url}/webhooks/stripe/")
    StripeConnection.objects.filter(pk=scene.connection.pk).update(account_id=stripe_sandbox.account)
    StripeCustomer.objects.all().delete()

    operator = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=live_server.url).new_page()
    sign_in(operator, scene, Role.OWNER)
    operator.goto("/customers/wonka/payments/")
    operator.get_by_role("button", name="Generate Stripe Customer").click()
    expect(operator.get_by_text("is linked with the Stripe customer cus_")).to_be_visible()
    operator.get_by_role("button", name="Link to add a card").click()
    link = operator.get_by_label("Link to copy").input_value()

    # The customer's own browser runs no script and is signed in nowhere.
    customer = browser.new_context(java_script_enabled=False, color_scheme="dark").new_page()
    customer.goto(link)
    expect(customer.get_by_role("heading", name="Save a card for")).to_be_visible()
    customer.get_by_label("Card number").fill("4242 4242 4242 4242")
    customer.get_by_label("Name on card").fill("Willy Wonka")
    customer.get_by_role("button", name="Save card").click()
    expect(customer.get_by_text("Your payment method is saved.")).to_be_visible()
    assert customer.url == f"{live_server.url}/payment-method/saved/"

    while stripe_sandbox.settle():
        pass
    operator.goto("/customers/wonka/payments/")
    entry = operator.locator(".bp-entry", has_text="4242")
    expect(entry.get_by_text("Default")).to_be_visible()
    expect(entry.get_by_text("Expires 12/2034")).to_be_visible()
    entry.get_by_role("button", name="Remove…").click()
    operator.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(operator.get_by_text("No payment method is on file.")).to_be_visible()
