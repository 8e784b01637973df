"""A card is declined. An operator finds out why, has the customer save another card, and charges it again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from billing_portal.accounts.models import Role
from customers.actors import SCHEDULE
from customers.models import Customer
from payments.stripe.customers import generate
from tests.browser.conftest import sign_in_as
from tests.portal.scene import PASSWORD, make_operator
from tests.sandbox_server import StripeSandbox
from tests.scenarios.conftest import listener, world
from tests.scenarios.test_from_usage_to_payment import by_stripe, give_card
from tests.world import World, utc

__all__ = ["listener", "world"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

REASON = "The bank declined the payment without giving a reason"


def test_a_failed_payment_is_seen_and_tried_again(
    browser: Browser, live_server: LiveServer, world: World, stripe_sandbox: StripeSandbox, settings: Any
) -> None:
    settings.PUBLIC_URL = live_server.url
    customer = _charged_in_vain(world, stripe_sandbox)
    number = world.invoice(customer).number
    page = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=live_server.url).new_page()
    page.goto("/")
    sign_in_as(page, make_operator(world.vendor, Role.BILLING).email, PASSWORD)
    _see_it_on_the_dashboard(page)
    _see_why_on_the_customer_s_page(page, number)
    _have_another_card_saved(browser, page, world)
    _retry(page)
    world.rest()
    _see_it_paid(page, number)
    charges = stripe_sandbox.client().v1.charges.list().data
    assert sorted((charge.amount, charge.paid) for charge in charges) == [(9_900, False), (9_900, True)]


def _charged_in_vain(world: World, sandbox: StripeSandbox) -> Customer:
    """A month of $99.00 is over, and the card that was saved refuses every charge."""
    by_stripe(world)
    customer = world.customer("acme", display_name="Acme Inc.", email="ap@acme.example")
    counterpart = generate(customer, actor=SCHEDULE, real_now=timezone.now())
    give_card(sandbox, counterpart.external_id, "pm_card_chargeCustomerFail")
    world.subscribe(customer, world.plan(display_name="Pro"), effective_at=utc(2026, 3, 1))
    world.move_to(utc(2026, 4, 4) + timedelta(hours=2))
    return customer


def _see_it_on_the_dashboard(page: Page) -> None:
    expect(page.get_by_role("link", name="Failed $99.00 1 invoice")).to_be_visible()
    entry = page.locator("section", has_text="Needs attention").get_by_role("link", name="Acme Inc.")
    expect(entry).to_contain_text(REASON)
    expect(entry).to_contain_text("Payment failed")
    entry.click()
    page.get_by_role("main").get_by_role("link", name="Acme Inc.", exact=True).click()


def _see_why_on_the_customer_s_page(page: Page, number: str) -> None:
    expect(page.get_by_role("heading", name="Acme Inc.")).to_contain_text("failed")
    expect(page.locator(".bp-message--error")).to_contain_text(f"The last payment of {number} failed: {REASON}")


def _have_another_card_saved(browser: Browser, page: Page, world: World) -> None:
    page.get_by_role("link", name="Integrations").click()
    page.get_by_role("button", name="Link to add a card").click()
    customer = browser.new_context(java_script_enabled=False).new_page()
    customer.goto(page.get_by_label("Link to copy").input_value())
    customer.get_by_label("Card number").fill("4242 4242 4242 4242")
    customer.get_by_label("Name on card").fill("Ada Acme")
    customer.get_by_role("button", name="Save card").click()
    expect(customer.get_by_text("Your payment method is saved.")).to_be_visible()
    world.rest()
    page.goto("/customers/acme/payments/")
    expect(page.locator(".bp-entry", has_text="4242").get_by_text("Default")).to_be_visible()


def _retry(page: Page) -> None:
    page.locator(".bp-message--error").get_by_role("button", name="Retry…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("What is still due is charged at once")
    dialog.get_by_role("button", name="Retry").click()


def _see_it_paid(page: Page, number: str) -> None:
    page.goto("/customers/acme/")
    expect(page.get_by_role("heading", name="Acme Inc.")).not_to_contain_text("failed")
    expect(page.locator(".bp-message--error")).to_have_count(0)
    page.goto("/customers/acme/invoices/")
    page.get_by_role("link", name=number).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Paid")
    expect(page.locator(".bp-message--error")).to_have_count(0)
    attempts = page.locator("section", has=page.get_by_role("heading", name="Attempts"))
    expect(attempts.locator(".bp-entry", has_text="Visa ending in 4242")).to_contain_text("Succeeded")
    expect(attempts.locator(".bp-entry", has_text=REASON)).to_contain_text("Failed")
    told = page.locator(".bp-timeline__what")
    steps = ["Invoice paid", "Next step asked for", "Payment failed", "Invoice issued", "Invoice generated"]
    expect(told).to_have_text(steps)
    page.goto("/")
    expect(page.get_by_text("Nothing waits for you.")).to_be_visible()
