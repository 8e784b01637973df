"""The first five minutes on an empty installation, with mouse and keyboard and without one call of the API: Stripe
connected, a meter, a plan, a customer with a card, usage, and the test clock to the first invoice, paid."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_through_stripe import (
    SETTINGS,
    _connect,
    _disconnect,
    _generate_a_customer,
    _save_a_card,
    _sign_in,
)
from tests.machine.running import Up, start
from tests.machine.test_line_over_http import PATIENCE, Vendor

__all__ = ["start"]

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("up")]


def test_from_nothing_to_the_first_invoice_paid(browser: Browser, start: Callable[[], Up]) -> None:
    vendor = Vendor(start())
    page = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=vendor.up.ready["url"]).new_page()
    _sign_in(page, vendor)
    _first_steps_done(page, 1)  # the sandbox is connected from the start
    _disconnect(page, vendor)
    _connect(page, vendor)
    _choose_how_to_bill(page)
    _make_a_meter(page)
    _make_a_plan(page)
    _generate_a_customer(page)
    _save_a_card(browser, page)
    _send_usage(page)
    page.goto("/")
    expect(page.get_by_text("You are set up: 6 of 6")).to_be_visible()
    _advance_until_paid(page)
    _look_back(page)


def _first_steps_done(page: Page, count: int) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", name=f"First steps {count} of 6")).to_be_visible()


def _choose_how_to_bill(page: Page) -> None:
    page.goto(SETTINGS)
    page.get_by_label("Enable Invoice Delivery").check()
    page.locator("#id_invoice_via_octane").uncheck()
    page.locator("#id_charges_enabled").check()
    page.get_by_role("button", name="Save settings").click()
    expect(page.get_by_text("The settings are saved.")).to_be_visible()


def _make_a_meter(page: Page) -> None:
    page.goto("/meters/new/")
    page.get_by_label("Code name").fill("requests")
    page.get_by_role("button", name="Create meter").click()
    expect(page.get_by_text("requests").first).to_be_visible()
    _first_steps_done(page, 2)


def _make_a_plan(page: Page) -> None:
    page.goto("/price-plans/new/")
    page.get_by_label("Code name").fill("pro")
    page.get_by_label("Base price", exact=True).fill("20")
    page.get_by_role("button", name="Add a metered component").click()
    page.get_by_label("Meter", exact=True).select_option("requests")
    page.locator("#c0-t0-price").fill("0.05")
    expect(page.locator("#preview")).to_contain_text("$")
    page.get_by_label("Code name").press("Enter")
    expect(page.get_by_text("The price plan pro is created.")).to_be_visible()


def _send_usage(page: Page) -> None:
    page.goto("/customers/acme/subscription/")
    page.locator("summary", has_text="Send usage").click()
    page.get_by_label("Quantity").and_(page.locator("#id_usage-value")).fill("200")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("200 on requests at")).to_be_visible()


def _advance_until_paid(page: Page) -> None:
    """From event to event, as the screen offers it, until there is an invoice and it is paid."""
    for _ in range(8):
        page.goto("/settings/test-clock/")
        page.get_by_role("button", name="Advance to the next event").click()
        expect(page.get_by_text("The clock is on its way")).to_be_visible()
        expect(page.get_by_text("Ready", exact=True)).to_be_visible(timeout=PATIENCE * 1000)
        page.goto("/customers/acme/invoices/")
        if page.locator(".bp-chip", has_text="Paid").count():
            return
    pytest.fail(page.inner_text("body"))


def _look_back(page: Page) -> None:
    """The amount, and search by the keyboard: twenty dollars and two hundred requests at five cents."""
    page.keyboard.press("Control+k")
    page.get_by_role("dialog", name="Command palette").get_by_role("searchbox").fill("INV-00001")
    expect(page.locator("#palette-found").get_by_text("INV-00001").first).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="INV-00001")).to_be_visible()
    expect(page.get_by_text("$30.00").first).to_be_visible()
    expect(page.locator(".bp-chip", has_text="Paid").first).to_be_visible()
    page.goto("/audit/?kind=invoice.paid")
    expect(page.get_by_role("link", name="INV-00001")).to_be_visible()
