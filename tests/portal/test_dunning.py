"""The dunning screen: what is failed and late, what is done about it next, when, and by whom."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing_portal.accounts.models import Role
from customers.models import BillingSettings
from invoicing.models import Invoice
from tests.factories import InvoiceFactory
from tests.portal.scene import NOW, Scene

SignedIn = Callable[..., Client]


def words(browser: Client, **query: str) -> str:
    return " ".join(browser.get(reverse("portal:dunning"), query).content.decode().split())


def failed(scene: Scene, customer: str, amount: int, **fields: object) -> Invoice:
    made = {"status": "PAYMENT_FAILED", "next_action": "", "next_action_at": None, "paid_at": None, **fields}
    invoice: Invoice = InvoiceFactory(customer=scene.customers[customer], sub_total=amount, **made)
    return invoice


def test_who_does_what_next_and_when(scene: Scene, signed_in: SignedIn) -> None:
    BillingSettings.objects.filter(vendor=scene.vendor).update(past_due_reminder_days_array=[14])
    failed(scene, "hooli", 5_000, currency="EUR", gateway_next_attempt_at=NOW + timedelta(days=2), gateway="stripe")
    ours = {"next_action": "collect", "next_action_at": NOW + timedelta(hours=5, minutes=30), "retry_advice": "again"}
    failed(scene, "wayne", 7_000, amount_paid=2_000, gateway_collection="charge_automatically", **ours)
    page = words(signed_in(Role.READ_ONLY))
    for shown in (
        "Stripe tries the payment again, on its own schedule.",
        "The payment is tried again.",
        "Waits for the customer's payment.",
        "Reminder after the due date",
        "in 5 hours",
        'Payment failed, EUR</span><span class="bp-stat__amount">€50.00',
        'Payment failed, USD</span><span class="bp-stat__amount">$323.44',
        'Past due, USD</span><span class="bp-stat__amount">$99.00',
    ):
        assert shown in page.replace("> <", "><").replace("&#x27;", "'"), shown


def test_the_tabs_part_them_by_who_acts(scene: Scene, signed_in: SignedIn) -> None:
    failed(scene, "hooli", 5_000, gateway_next_attempt_at=NOW + timedelta(days=2), gateway="stripe")
    failed(scene, "wayne", 7_000, next_action="collect", next_action_at=NOW + timedelta(hours=5))
    failed(scene, "umbrella", 8_000, paused_at=NOW, paused_by="olivia@example.com", pause_reason="A question.")
    browser = signed_in()
    expected = {
        "": {"Initech", "Hooli", "Wayne Enterprises", "Umbrella Biotech GmbH", "Soylent Foods"},
        "failed": {"Initech", "Hooli", "Wayne Enterprises", "Umbrella Biotech GmbH"},
        "late": {"Soylent Foods"},
        "stripe": {"Hooli"},
        "ours": {"Wayne Enterprises"},
        "waiting": {"Initech", "Umbrella Biotech GmbH"},
        "paused": {"Umbrella Biotech GmbH"},
    }
    names = {customer.display_name for customer in scene.customers.values()}
    for tab, customers in expected.items():
        page = words(browser, tab=tab)
        assert {name for name in names if f">{name}<" in page} == customers, tab
    assert "Held back by olivia@example.com" in words(browser, tab="paused")
    assert reverse("portal:dunning") in browser.get(reverse("portal:dashboard")).content.decode()


def test_as_many_queries_for_many_and_page_by_page(scene: Scene, signed_in: SignedIn) -> None:
    browser = signed_in()
    words(browser)
    with CaptureQueriesContext(connection) as few:
        words(browser)
    for place in range(30):
        failed(scene, "wayne", 100 + place, generated_at=NOW - timedelta(hours=place))
    with CaptureQueriesContext(connection) as many:
        page = words(browser)
    assert len(many) == len(few)
    assert page.count("bp-rowlink") == 25
    assert "Older" in page
