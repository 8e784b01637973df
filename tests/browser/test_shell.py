"""The frame around each screen: with the keyboard, on a phone, in light and dark."""

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from billing_portal.accounts.models import Role
from tests.browser.accessibility import violations
from tests.browser.conftest import sign_in
from tests.portal.scene import Scene

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.textContent.trim()"))


def test_with_the_keyboard_alone(browser: Browser, live_server: LiveServer, scene: Scene) -> None:
    page = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=live_server.url).new_page()
    sign_in(page, scene, Role.OWNER)
    page.goto("/api-keys/")
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to content"
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert focused(page) == "What the API offers"  # the first link of the content

    account = page.get_by_role("button", name="Olivia Marsh")
    account.focus()
    page.keyboard.press("Enter")
    expect(account).to_have_attribute("aria-expanded", "true")
    dark = page.get_by_role("button", name="Dark")
    dark.focus()
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_class("dark")
    page.reload()
    expect(page.locator("html")).to_have_class("dark")  # remembered
    page.goto("/operators/")
    page.get_by_role("button", name="Remove…").first.press("Enter")
    dialog = page.get_by_role("dialog", name="Remove this operator?")
    expect(dialog).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_the_sidebar_of_a_phone(browser: Browser, live_server: LiveServer, scene: Scene) -> None:
    page = browser.new_context(viewport={"width": 390, "height": 844}, base_url=live_server.url).new_page()
    sign_in(page, scene, Role.OWNER)
    screens = page.get_by_role("navigation", name="Screens")
    expect(screens).to_be_hidden()
    page.get_by_role("button", name="Open the sidebar").click()
    expect(screens).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Close the sidebar").click()
    expect(screens).to_be_hidden()
    page.get_by_role("button", name="Open the sidebar").click()
    screens.get_by_role("link", name="Operators").click()
    expect(page.get_by_role("heading", name="Operators", level=1)).to_be_visible()
    expect(screens).to_be_hidden()

    page.goto("/customers/acme/activity/")
    tabs = page.get_by_role("navigation", name="Customer")
    expect(tabs.get_by_role("link", name="Activity")).to_be_in_viewport()
    expect(tabs).to_have_class("bp-tabs bp-more-left")
    tabs.evaluate("tabs => tabs.scrollLeft = 0")
    expect(tabs).to_have_class("bp-tabs bp-more-right")

    page.goto("/settings/invoicing-payments/")
    sections = page.get_by_role("navigation", name="Sections")
    expect(sections.locator("[aria-current]")).to_have_text("Delivery")
    page.locator("#reminders h2").evaluate("heading => heading.scrollIntoView()")
    expect(sections.locator("[aria-current]")).to_have_text("Reminders")
