"""Invoices made by hand, over the API and on the screen; and what becomes of totals of nothing and less."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from billing_portal.accounts.models import Role
from customers.models import Customer
from invoicing.models import Invoice, LineItem
from tests.api.client import Api, answer, refusal
from tests.portal.scene import make_operator
from tests.world import World, utc

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    """Invoices are e-mailed two days after they are generated, with 10 % tax."""
    world = World(utc(2026, 3, 3, 12), time_zone="America/New_York")
    world.settings(should_send_invoice_to_customers=True, payment_grace_period_length=2, tax_rate=10)
    world.customer()
    return world


WORKSHOP = {"name": "Workshop", "quantity": 2, "unit_price": 45000, "description": "Two days"}
REBATE = {"name": "Rebate", "unit_price": "-999.5"}


def test_it_goes_the_way_of_every_other(world: World) -> None:
    api = Api(world.vendor)
    body = {"line_items": [WORKSHOP, REBATE], "memo": "As agreed.", "due_date": "2026-03-31"}
    made = answer(api.post("/customers/acme/invoices", body))
    assert [(line["name"], line["price_int"], line["item_type"]) for line in made["line_items"]] == [
        ("Workshop", 90000, "ADHOC_CHARGE"),
        ("Rebate", -1000, "ADHOC_CHARGE"),
    ]
    assert (made["sub_total"], made["tax_amount"], made["amount_due"]) == (89000, 8900, 97900)
    assert (made["status"], made["next_action"], made["memo"]) == ("INVOICE_GENERATED", "issue", "As agreed.")
    answer(api.get(f"/invoices/{made['id']}/line_items/{made['line_items'][0]['id']}/explanation"))
    world.move_by(days=2, hours=1)
    invoice = world.invoice()
    assert (invoice.status, invoice.chosen_due_date, len(mail.outbox)) == ("INVOICE_ISSUED", date(2026, 3, 31), 1)
    assert invoice.period_start == utc(2026, 3, 3, 5)
    assert (invoice.period_end - invoice.period_start).days == 1
    assert world.kinds(invoice) == ["invoice.generated", "invoice.issued"]


def test_an_immediate_one_is_issued_at_once_although_approval_is_by_hand(world: World) -> None:
    world.settings(auto_approve_invoices=False)
    api = Api(world.vendor)
    waiting = answer(api.post("/customers/acme/invoices", {"line_items": [WORKSHOP]}))
    assert (waiting["next_action"], waiting["is_approved"]) == ("approve", False)
    answer(api.delete(f"/invoices/{waiting['id']}"))
    answer(api.post("/customers/acme/invoices", {"line_items": [WORKSHOP], "issue_now": True}))
    world.rest()
    invoice = world.invoice()
    assert (invoice.status, len(mail.outbox)) == ("INVOICE_ISSUED", 1)
    assert world.kinds(invoice) == ["invoice.generated", "invoice.approved", "invoice.issued"]


def test_a_total_of_nothing_is_sent_and_paid(world: World) -> None:
    free = [{"name": "Gift", "unit_price": 0}]
    answer(Api(world.vendor).post("/customers/acme/invoices", {"line_items": free, "issue_now": True}))
    world.rest()
    invoice = world.invoice()
    assert (invoice.status, invoice.amount_paid, len(mail.outbox)) == ("INVOICE_PAID", 0, 1)
    assert invoice.payments.count() == 0


def test_a_total_below_nothing_waits_for_a_person(world: World) -> None:
    """It cannot be typed, but negative usage at a price can come to it."""
    answer(Api(world.vendor).post("/customers/acme/invoices", {"line_items": [WORKSHOP]}))
    Invoice.objects.update(sub_total=-5, tax_amount=0, tax_rate=0, amount_due=-5)
    world.move_by(days=3)
    invoice = world.invoice()
    assert (invoice.status, invoice.next_action, mail.outbox) == ("INVOICING_FAILED", "", [])
    assert invoice.invoicing_error.startswith("It comes to less than nothing")


NONSENSE: list[tuple[dict[str, Any], str]] = [
    ({}, "line_items"),
    ({"line_items": []}, "line_items"),
    ({"line_items": [REBATE]}, "line_items"),
    ({"line_items": [{**WORKSHOP, "name": " "}]}, "line_items.0.name"),
    ({"line_items": [{**WORKSHOP, "quantity": 0}]}, "line_items.0.quantity"),
    ({"line_items": [{**WORKSHOP, "unit_price": 10**11, "quantity": 10**11}]}, "line_items.0.unit_price"),
    ({"line_items": [WORKSHOP], "due_date": "2026-03-02"}, "due_date"),
    ({"line_items": [WORKSHOP], "currency": "XYZ"}, "currency"),
    ({"line_items": [WORKSHOP], "currency": "EUR"}, "currency"),
    ({"line_items": [WORKSHOP], "period": "month"}, "period"),
]


def test_what_makes_no_sense_is_refused_by_field(world: World) -> None:
    world.subscribe(Customer.objects.of(world.vendor).get(), world.plan())  # billed in dollars from now on
    api = Api(world.vendor)
    for body, field in NONSENSE:
        assert list(refusal(api.post("/customers/acme/invoices", body), 422)) == [field], body
    assert not LineItem.objects.exists()


def test_on_the_screen(world: World) -> None:
    browser, looker = Client(), Client()
    browser.force_login(make_operator(world.vendor, Role.BILLING))
    looker.force_login(make_operator(world.vendor, Role.READ_ONLY))
    address = reverse("portal:new_invoice", args=["acme"])
    assert address in browser.get(reverse("portal:customer", args=["acme"])).content.decode()
    assert address not in looker.get(reverse("portal:customer", args=["acme"])).content.decode()
    assert looker.post(address, {}).status_code == 403
    typed = {
        "line_name": ["Workshop", "Travel", ""],
        "line_quantity": ["2", "", "1"],
        "line_price": ["$450.00", "12.5O", ""],
        "currency": "usd",
    }
    page = browser.post(address, typed).content.decode()
    assert "Line 2: " in page
    assert 'value="$450.00"' in page
    assert not Invoice.objects.exists()
    response = browser.post(address, {**typed, "line_price": ["$450.00", "12.50", ""], "memo": "Thanks."})
    invoice = world.invoice()
    assert response["Location"] == reverse("portal:invoice", args=[invoice.uuid])
    assert (invoice.sub_total, invoice.memo, invoice.currency) == (91250, "Thanks.", "USD")
    page = browser.get(response["Location"]).content.decode()
    assert "Made by hand." in page
