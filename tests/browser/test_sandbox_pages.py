"""The pages of the sandbox that people meet in the place of Stripe's: light and dark, desktop and phone, looked at by
axe-core like our own. They need no script."""

from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser

from tests.browser.test_screens import Walk
from tests.sandbox_server import SANDBOX_ONLY, StripeSandbox

pytestmark = [pytest.mark.browser, SANDBOX_ONLY]
AUTHENTICATED = "4000 0027 6000 3184"


def test_the_pages_of_the_sandbox(browser: Browser, stripe_sandbox: StripeSandbox) -> None:
    stripe = stripe_sandbox.client().v1
    customer = stripe.customers.create({"email": "ap@acme.example", "name": "Acme Robotics"}).id
    saved: dict[str, Any] = {"mode": "setup", "currency": "usd", "customer": customer, "success_url": "http://x.test/"}
    walk = Walk(browser, stripe_sandbox.api_base)

    walk.look("checkout", str(stripe.checkout.sessions.create(saved).url))
    portal = stripe.billing_portal.sessions.create({"customer": customer, "return_url": "http://x.test/"})
    walk.look("billing portal", portal.url)
    asked = {"response_type": "code", "client_id": stripe_sandbox.client_id, "redirect_uri": "http://x.test/"}
    walk.look("consent", f"/oauth/authorize?{urlencode(asked)}")
    walk.look("no such page", f"/c/pay/{stripe_sandbox.account}/cs_nothing")

    walk.look("hosted invoice", invoice_page(stripe, customer))
    walk.page.get_by_text("Test cards", exact=True).click()
    walk.look_again("hosted invoice with test cards")
    walk.page.get_by_label("Card number").fill(AUTHENTICATED)
    walk.page.get_by_role("button", name="Pay $1,020.00").click()
    walk.page.get_by_role("heading", name="3D Secure").wait_for()
    walk.look_again("question of the bank")
    walk.page.get_by_role("button", name="Complete").click()
    walk.page.get_by_text("paid", exact=True).wait_for()
    walk.look_again("paid invoice")
    walk.close()


def invoice_page(stripe: Any, customer: str) -> str:
    made = stripe.invoices.create({"customer": customer, "collection_method": "send_invoice", "days_until_due": 30})
    lines = [("Growth", 9_900), ("API requests: 13,157.14 at $0.07", 92_100)]
    stripe.invoices.add_lines(made.id, {"lines": [{"description": text, "amount": cents} for text, cents in lines]})
    return str(stripe.invoices.finalize_invoice(made.id).hosted_invoice_url)
