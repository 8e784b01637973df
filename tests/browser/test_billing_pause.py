"""All billing is paused with a reason, every screen says so, and it is resumed by somebody who sees what is due."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from billing_portal.accounts.models import Role
from customers.models import Vendor
from tests.browser.conftest import Watch, sign_in
from tests.portal.scene import Scene

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WHY = "Prices of March are being checked"


def test_pausing_and_resuming(browser: Browser, live_server: LiveServer, scene: Scene) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=live_server.url)
    watch, page = Watch(context, live_server.url), context.new_page()
    sign_in(page, scene, Role.BILLING)
    page.goto("/scheduled/")
    expect(page.get_by_role("progressbar", name="Generate")).to_be_visible()
    _pause(page)
    page.goto("/customers/")
    expect(page.get_by_role("main")).to_contain_text(WHY)
    _resume(page)
    page.goto("/customers/")
    expect(page.get_by_role("main")).not_to_contain_text(WHY)
    context.close()
    assert watch.complaints == []


def _pause(page: Page) -> None:
    page.get_by_role("button", name="Pause…").first.click()
    dialog = page.get_by_role("dialog", name="Pause all billing")
    dialog.get_by_role("button", name="Pause billing").click()
    expect(dialog).to_be_visible()  # not without a reason
    dialog.get_by_label("Reason").fill(WHY)
    dialog.get_by_role("button", name="Pause billing").click()
    expect(page.get_by_text("Billing is paused.", exact=False).first).to_be_visible()
    assert Vendor.objects.filter(billing_pause_reason=WHY).exists()


def _resume(page: Page) -> None:
    page.goto("/scheduled/")
    page.get_by_role("button", name="Resume…").click()
    dialog = page.get_by_role("dialog", name="Resume all billing")
    expect(dialog).to_contain_text(WHY)
    dialog.get_by_role("button", name="Cancel").click()
    assert Vendor.objects.filter(billing_pause_reason=WHY).exists()
    page.get_by_role("button", name="Resume…").click()
    dialog.get_by_role("button", name="Resume billing").click()
    expect(page.get_by_text("Billing goes on.")).to_be_visible()
