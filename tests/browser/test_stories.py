"""What an operator does with mouse and keyboard."""

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from billing_portal.accounts.models import Role
from customers.models import BillingSettingsOverride
from invoicing.models import Invoice
from tests.browser.conftest import Watch, sign_in
from tests.portal.scene import Scene

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(browser: Browser, live_server: LiveServer, scene: Scene) -> Page:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=live_server.url)
    page = context.new_page()
    sign_in(page, scene, Role.OWNER)
    return page


def test_voiding_an_invoice_asks_why(page: Page, scene: Scene) -> None:
    invoice = scene.invoices["late"]
    page.goto(f"/invoices/{invoice.uuid}/")
    page.locator("summary", has_text="More").click()
    page.get_by_role("button", name="Void…").click()
    dialog = page.get_by_role("dialog", name="Void this invoice?")
    expect(dialog).to_contain_text("INV-00131")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()

    page.get_by_role("button", name="Void…").click()
    dialog.get_by_role("button", name="Void").click()
    expect(dialog).to_be_visible()  # the reason is missing
    dialog.get_by_label("Reason").fill("Sent to the wrong company.")
    dialog.get_by_role("button", name="Void").click()
    expect(page.get_by_text("Invoice INV-00131 is voided.")).to_be_visible()
    expect(page.get_by_text("Sent to the wrong company.")).to_be_visible()
    assert Invoice.objects.get(pk=invoice.pk).status == "INVOICE_VOIDED"


def test_what_settings_mean_follows_what_is_typed(page: Page, scene: Scene) -> None:
    page.goto("/settings/invoicing-payments/")
    meaning = page.locator("#meaning")
    expect(meaning).to_contain_text("Issued in Stripe 4 Apr 2026")
    page.get_by_label("Payment grace period", exact=True).fill("9")
    expect(meaning).to_contain_text("Issued in Stripe 11 Apr 2026")
    page.get_by_label("Enable Invoice Delivery").uncheck()
    expect(meaning).to_contain_text("Stays here, nothing is sent")
    page.get_by_label("Payment grace period", exact=True).fill("")
    expect(meaning).to_contain_text("Mend this first")


def test_the_override_story(page: Page, scene: Scene) -> None:
    page.goto("/customers/acme/billing-settings/")
    expect(page.get_by_label("Days until due", exact=True)).to_be_hidden()
    page.get_by_label("Enable invoicing overrides").check()
    page.get_by_label("Own value for Days until due").check()
    page.get_by_label("Days until due", exact=True).fill("14")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The overrides of Acme Robotics are saved.")).to_be_visible()
    expect(page.get_by_text("Settings: 30")).to_be_visible()
    row = BillingSettingsOverride.objects.get(customer=scene.customers["acme"])
    assert row.values() == {"days_until_due": 14}

    page.get_by_label("Enable invoicing overrides").uncheck()
    expect(page.get_by_text("Saving removes every value")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The overrides of Acme Robotics are removed.")).to_be_visible()
    assert not BillingSettingsOverride.objects.filter(customer=scene.customers["acme"]).exists()


def test_a_row_of_the_list_leads_to_its_invoice(page: Page, scene: Scene) -> None:
    page.goto("/")
    page.get_by_role("link", name="Failed $585.44").click()
    expect(page.get_by_role("heading", name="Invoices")).to_be_visible()
    page.get_by_role("row").filter(has_text="Initech").click()
    expect(page.get_by_role("heading", name="INV-00149")).to_be_visible()


def test_a_price_plan_is_priced_while_it_is_typed(page: Page, scene: Scene) -> None:
    page.goto("/price-plans/new/")
    page.get_by_label("Code name").fill("scale")
    page.get_by_label("Base price", exact=True).fill("20")
    preview = page.locator("#preview")
    expect(preview).to_contain_text("$20.00")
    page.get_by_role("button", name="Add a metered component").click()
    page.get_by_label("Meter", exact=True).select_option("requests")
    page.get_by_label("Price scheme").select_option("TIERED")
    page.get_by_role("button", name="Add a tier").click()
    expect(page.locator("#c0-t1-price")).to_be_visible()
    page.locator("#c0-t0-price").fill("0.05")
    page.locator("#c0-t0-cap").fill("600")
    page.locator("#c0-t1-price").fill("0.01")
    expect(preview).to_contain_text("400 at $0.01 each: $4.00")
    expect(preview).to_contain_text("$54.00")
    expect(page.get_by_label("Code name")).to_have_value("scale")
    page.get_by_label("Code name").press("Enter")
    expect(page.get_by_text("The price plan scale is created.")).to_be_visible()
    expect(page.get_by_text("$0.05 each up to 600")).to_be_visible()


def test_a_customer_is_created_and_put_on_a_plan(page: Page, scene: Scene) -> None:
    page.goto("/customers/")
    page.get_by_role("link", name="New customer").click()
    page.get_by_label("Code name").fill("cyberdyne")
    page.get_by_label("Measurement mappings").fill("account = cyberdyne-.*")
    page.get_by_role("button", name="Create customer").click()
    page.get_by_label("Whose is a measurement").fill('{"account": "cyberdyne-7"}')
    page.get_by_role("button", name="Try").click()
    expect(page.locator("#matches")).to_contain_text("It belongs to cyberdyne.")
    page.get_by_label("Price plan").select_option("growth")
    page.get_by_role("button", name="Subscribe").click()
    expect(page.get_by_text("cyberdyne is subscribed to Growth")).to_be_visible()
    page.get_by_role("button", name="End subscription…").click()
    page.get_by_role("dialog").get_by_role("button", name="End subscription").click()
    expect(page.get_by_text("The subscription of cyberdyne ends")).to_be_visible()


def test_signing_out(page: Page, scene: Scene) -> None:
    page.get_by_text("Olivia Marsh").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in to Billing Portal")).to_be_visible()
    page.goto("/invoices/")
    expect(page.get_by_role("heading", name="Sign in to Billing Portal")).to_be_visible()


def test_nothing_in_the_console(browser: Browser, live_server: LiveServer, scene: Scene) -> None:
    context = browser.new_context(base_url=live_server.url)
    watch = Watch(context, live_server.url)
    page = context.new_page()
    sign_in(page, scene, Role.READ_ONLY)
    page.goto("/settings/invoicing-payments/")
    page.goto("/customers/wayne/billing-settings/")
    context.close()
    assert watch.complaints == []
