"""A customer pays on the page behind the invoice's link; an operator sees it and gives half of it back."""

from typing import Any

import pytest
from django.db.models import Q
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from billing_portal.accounts.models import Role
from invoicing.invoices.advance import hand_out, perform
from invoicing.models import Invoice
from payments.stripe.models import StripeConnection
from tests.browser.conftest import sign_in
from tests.portal.scene import Scene
from tests.sandbox_server import StripeSandbox

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def at_stripe(scene: Scene, sandbox: StripeSandbox) -> Invoice:
    """Hooli's invoice of $420.11, sent by Stripe."""
    StripeConnection.objects.filter(pk=scene.connection.pk).update(account_id=sandbox.account)
    stripe, invoice = sandbox.client().v1, scene.invoices["issued"]
    owner = stripe.customers.create({"email": "finance@hooli.example"})
    terms: Any = {"collection_method": "send_invoice", "days_until_due": 28}
    made = stripe.invoices.create({"customer": owner.id, "currency": "usd", **terms})
    stripe.invoices.add_lines(made.id, {"lines": [{"amount": invoice.amount_due, "description": "Growth"}]})
    opened = stripe.invoices.finalize_invoice(made.id)
    invoice.gateway_account = StripeConnection.objects.get(pk=scene.connection.pk).reference
    invoice.external_invoice_id, invoice.hosted_url = made.id, opened.hosted_invoice_url or ""
    invoice.save()
    return invoice


def test_a_customer_pays_and_gets_half_back(
    browser: Browser, live_server: LiveServer, scene: Scene, stripe_sandbox: StripeSandbox, settings: Any
) -> None:
    settings.STRIPE_TEST_SECRET_KEY = stripe_sandbox.secret_key
    settings.STRIPE_WEBHOOK_SECRETS = [stripe_sandbox.webhook_secret]
    stripe_sandbox.send_webhooks_to(f"{live_server.url}/webhooks/stripe/")
    invoice = at_stripe(scene, stripe_sandbox)

    # The customer's own browser runs no script and is signed in nowhere.
    customer = browser.new_context(java_script_enabled=False).new_page()
    customer.goto(invoice.hosted_url)
    customer.get_by_label("Card number").fill("4000 0000 0000 0002")
    customer.get_by_label("Security code").fill("123")
    customer.get_by_role("button", name="Pay $420.11").click()
    expect(customer.get_by_role("alert")).to_have_text("Your card was declined.")
    customer.get_by_label("Card number").fill("4000 0027 6000 3184")
    customer.get_by_role("button", name="Pay $420.11").click()
    expect(customer.get_by_role("heading", name="3D Secure")).to_be_visible()
    customer.get_by_role("button", name="Complete").click()
    expect(customer.get_by_text("Status: paid")).to_be_visible()
    while stripe_sandbox.settle():
        pass

    operator = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=live_server.url).new_page()
    sign_in(operator, scene, Role.OWNER)
    operator.goto(f"/invoices/{invoice.uuid}/")
    expect(operator.get_by_text("Visa ending in 3184")).to_be_visible()
    operator.get_by_role("button", name="Refund").first.click()
    dialog = operator.get_by_role("dialog")
    dialog.get_by_label("Amount in USD, at most 420.11").fill("210.05")
    dialog.get_by_label("Reason").fill("Half of it was a mistake.")
    dialog.get_by_role("button", name="Refund").click()
    expect(operator.get_by_text("is being refunded.")).to_be_visible()
    real_now = timezone.now()
    hand_out(
        Q(next_action_at__lte=scene.vendor.now(real_now), pk=invoice.pk),
        real_now=real_now,
        hand_over=lambda pk, token: perform(pk, token, real_now=real_now),
    )
    operator.reload()
    expect(operator.get_by_text("$210.05").first).to_be_visible()
    refund = Invoice.objects.get(pk=invoice.pk).refunds.get()
    assert (refund.state, refund.amount) == ("succeeded", 21_005)
