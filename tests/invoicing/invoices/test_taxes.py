"""What an invoice says of its tax: contained in the prices, not owed, or owed by the recipient."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone
from pypdf import PdfReader

from customers.directory import update_customer
from customers.models import Customer
from invoicing.invoices.taxing import REVERSE_CHARGE
from invoicing.models import Invoice
from tests.world import OPERATOR, World, utc

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world() -> World:
    world = World(utc(2026, 3, 1), name="northwind", display_name="Northwind")
    world.settings(should_send_invoice_to_customers=True, tax_rate=19, tax_inclusive=True)
    return world


def billed(world: World, customer: Customer) -> Invoice:
    """$119 for March."""
    world.subscribe(customer, world.plan(base_price=11_900))
    world.move_to(utc(2026, 4, 1, 1))
    return world.invoice(customer)


def printed(invoice: Invoice) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(invoice.document.pdf)).pages).split())


def test_prices_that_contain_the_tax(world: World) -> None:
    invoice = billed(world, world.customer("acme"))
    assert (invoice.sub_total, invoice.tax_amount, invoice.amount_due) == (11_900, 1_900, 11_900)
    assert "Includes tax (19%) $19.00" in printed(invoice)


def test_reverse_charge_is_said_with_the_vat_id_and_nothing_later_changes_it(world: World) -> None:
    customer = world.customer("acme", country="DE", vat_id="DE123456789", tax_exempt="reverse")
    invoice = billed(world, customer)
    assert (invoice.tax_rate, invoice.tax_amount, invoice.amount_due) == (0, 0, 11_900)
    by: dict[str, Any] = {"actor": OPERATOR, "now": world.now, "real_now": timezone.now()}
    update_customer(customer, {"tax_exempt": "none", "vat_id": ""}, **by)
    text = printed(invoice)
    assert REVERSE_CHARGE in text
    assert "VAT ID: DE123456789" in text
    assert REVERSE_CHARGE in " ".join(str(mail.outbox[0].body).split())


def test_exempt_customers_pay_the_prices_as_they_are(world: World) -> None:
    invoice = billed(world, world.customer("acme", tax_exempt="exempt"))
    assert (invoice.tax_amount, invoice.amount_due) == (0, 11_900)
    assert "tax" not in printed(invoice).lower()
