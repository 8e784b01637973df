"""A Stripe account's whole story on a running installation, with mouse and keyboard: connected on the sandbox's
consent page, a customer generated, a card saved, a month charged, half of it given back, and disconnected."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.machine.running import Up, start
from tests.machine.test_line_over_http import PATIENCE, Vendor

__all__ = ["start"]

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("up")]

SETTINGS = "/settings/invoicing-payments/"


def test_from_connecting_to_disconnecting(browser: Browser, start: Callable[[], Up]) -> None:
    vendor = Vendor(start())
    vendor.call("POST", "/price_plans/", name="pro", base_price=9900, period="month")
    settings = {"should_send_invoice_to_customers": True, "invoice_via_octane": False, "charges_enabled": True}
    vendor.call("POST", "/billing_settings/", **settings)
    page = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=vendor.up.ready["url"]).new_page()
    _sign_in(page, vendor)
    _disconnect(page, vendor)
    _connect(page, vendor)
    _generate_a_customer(page)
    _save_a_card(browser, page)
    _let_a_month_pass(page, vendor.cycle_end("acme"))
    _see_it_paid(page)
    _give_back_half(page, vendor)
    _disconnect(page, vendor)


def _sign_in(page: Page, vendor: Vendor) -> None:
    page.goto("/")
    page.get_by_label("E-mail address").fill(vendor.up.ready["operator"])
    page.get_by_label("Password").fill(vendor.up.ready["password"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()


def _connect(page: Page, vendor: Vendor) -> None:
    page.get_by_role("button", name="Connect with Stripe").click()
    page.get_by_role("radio").and_(page.locator(f"[value={vendor.account}]")).check()
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_text(f"{vendor.account} is connected in test mode.")).to_be_visible()


def _disconnect(page: Page, vendor: Vendor) -> None:
    page.goto(SETTINGS)
    page.get_by_role("button", name="Disconnect…").click()
    page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
    expect(page.get_by_text(f"The Stripe account {vendor.account} is disconnected.")).to_be_visible()


def _generate_a_customer(page: Page) -> None:
    page.goto("/new-customer/")
    page.get_by_label("Code name").fill("acme")
    page.get_by_label("Display name").fill("Acme Inc.")
    page.get_by_label("E-mail address").fill("billing@acme.example")
    page.get_by_role("button", name="Create customer").click()
    page.get_by_label("Price plan").select_option("pro")
    page.get_by_role("button", name="Subscribe").click()
    page.get_by_role("link", name="Integrations").click()
    page.get_by_role("button", name="Generate Stripe Customer").click()
    expect(page.get_by_text("is linked with the Stripe customer cus_")).to_be_visible()


def _save_a_card(browser: Browser, page: Page) -> None:
    page.get_by_role("button", name="Link to add a card").click()
    customer = browser.new_page()
    customer.goto(page.get_by_label("Link to copy").input_value())
    customer.get_by_label("Card number").fill("4242 4242 4242 4242")
    customer.get_by_label("Name on card").fill("Ada Acme")
    customer.get_by_role("button", name="Save card").click()
    expect(customer.get_by_text("Your payment method is saved.")).to_be_visible()
    card = page.locator(".bp-entry", has_text="4242")
    _until(page, "/customers/acme/payments/", lambda: card.get_by_text("Default").is_visible())


def _let_a_month_pass(page: Page, end: datetime) -> None:
    page.goto("/settings/test-clock/")
    page.get_by_label("Move forward to").fill((end + timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M"))
    page.get_by_role("button", name="Move").click()
    expect(page.get_by_text("The clock is on its way")).to_be_visible()
    # The page looks again by itself.
    expect(page.get_by_text("Ready", exact=True)).to_be_visible(timeout=PATIENCE * 1000)


def _see_it_paid(page: Page) -> None:
    page.goto("/customers/acme/invoices/")
    page.get_by_role("link", name="INV-00001").click()
    expect(page.get_by_text("Visa ending in 4242").first).to_be_visible()
    expect(page.locator(".bp-chip", has_text="Paid").first).to_be_visible()


def _give_back_half(page: Page, vendor: Vendor) -> None:
    page.get_by_role("button", name="Refund").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Amount").fill("49.50")
    dialog.get_by_label("Reason").fill("Half the month was quiet.")
    dialog.get_by_role("button", name="Refund").click()
    address = re.sub(r"^https?://[^/]+", "", page.url)
    refund = page.locator(".bp-entry", has_text="Refund").locator(".bp-chip", has_text="Succeeded")
    _until(page, address, refund.is_visible)
    [made] = vendor.stripe.v1.refunds.list().data
    assert (made.amount, made.status) == (4950, "succeeded")


def _until(page: Page, address: str, is_true: Callable[[], bool]) -> None:
    """Look at the page again until it says so."""
    deadline = time.monotonic() + PATIENCE
    page.goto(address)
    while not is_true():
        assert time.monotonic() < deadline, page.inner_text("main")
        time.sleep(0.5)
        page.goto(address)
