"""Fifty invoices are approved at once, with mouse and keyboard, and the page says what became of each."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from billing_portal.accounts.models import Role
from invoicing.invoices.lifecycle import void
from invoicing.models import Invoice
from tests.browser.conftest import Watch, sign_in
from tests.portal.scene import NOW, OLIVIA, Scene
from tests.portal.test_bulk import waiting

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_approving_fifty_and_then_some_that_cannot_be(browser: Browser, live_server: LiveServer, scene: Scene) -> None:
    fifty = [*waiting(scene, 49), scene.invoices["approval"]]
    context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=live_server.url)
    watch, page = Watch(context, live_server.url), context.new_page()
    sign_in(page, scene, Role.BILLING)
    _all_that_wait(page)
    _results(page, done="50 approved")
    approved = Invoice.objects.filter(pk__in=[one.pk for one in fifty], is_approved=True, next_action="issue")
    assert approved.count() == 50

    late = waiting(scene, 2)
    _some_that_cannot_be(page, scene, late)
    context.close()
    assert watch.complaints == []


def _all_that_wait(page: Page) -> None:
    page.get_by_role("link", name="Awaiting approval").click()
    expect(page.get_by_label("Status").locator("[aria-current=page]")).to_contain_text("50")
    expect(page.get_by_role("checkbox", name="Choose")).to_have_count(25)  # the first page of two
    page.get_by_label("With", exact=True).select_option("all")
    _approve(page)


def _approve(page: Page) -> None:
    page.get_by_role("button", name="Approve…").click()
    dialog = page.get_by_role("dialog", name="Approve these invoices?")
    expect(dialog).to_contain_text("as the billing settings say")
    dialog.get_by_role("button", name="Approve").click()


def _results(page: Page, done: str, refused: int = 0) -> None:
    heading = f"{done}, {refused} refused" if refused else done
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    expect(page.get_by_role("row")).to_have_count(1 + int(done.split()[0]) + refused)
    expect(page.get_by_role("cell", name="Approved", exact=True)).to_have_count(int(done.split()[0]))


def _some_that_cannot_be(page: Page, scene: Scene, late: list[Invoice]) -> None:
    """One is paid, and another is voided by a colleague while the list is open."""
    page.goto("/invoices/")
    paid = scene.invoices["acme-january"]
    for invoice in [*late, paid]:
        page.locator(f"[name=invoice][value='{invoice.uuid}']").check()
    void(late[1], reason="Made twice.", actor=OLIVIA, now=NOW, real_now=NOW)
    _approve(page)
    _results(page, done="1 approved", refused=2)
    row = page.get_by_role("row")
    expect(row.filter(has_text="INV-00142")).to_contain_text("INV-00142 needs no approval: it is approved.")
    expect(row.filter(has_text="Voided")).to_contain_text("needs no approval: it is voided.")
