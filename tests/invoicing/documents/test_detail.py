"""What a summary leaves out, and that it leaves out no money; on which paper."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO

import pytest
from pypdf import PdfReader

from customers.settings.policy import BillingPolicy
from invoicing.invoices.attempts import order_for
from invoicing.invoices.compose import compose, paper_of
from invoicing.invoices.documents.emails import invoice_email
from invoicing.invoices.documents.pdf import render_pdf
from invoicing.models import Invoice
from tests.factories import InvoiceFactory, LineItemFactory, VendorFactory

pytestmark = pytest.mark.django_db

SUMMARY, DETAILED = (BillingPolicy(customer_invoice_detail_level=level) for level in ("SUMMARY", "DETAILED"))


@pytest.fixture
def invoice() -> Invoice:
    """A base price, calls in two regions under one price list, an hour of work, and a discount."""
    invoice = InvoiceFactory.create(sub_total=10_350, next_action="", next_action_at=None)
    LineItemFactory.create(invoice=invoice, position=0, name="Team", amount=9900, quantity=1, unit_price=9900)
    for position, region, amount in ((1, "eu", 300), (2, "us", 200)):
        LineItemFactory.create(
            invoice=invoice,
            position=position,
            kind="METERED_COMPONENT",
            name=f"Calls ({region})",
            description="Tier by tier",
            quantity=Decimal(amount),
            unit_price=1,
            amount=amount,
            metadata={"metered_component_uuid": "c", "labels": {"region": region}},
        )
    LineItemFactory.create(
        invoice=invoice, position=3, kind="AD_HOC", name="Work", description="On the phone", amount=50
    )
    LineItemFactory.create(invoice=invoice, position=4, kind="DISCOUNT", name="Discount", description="1%", amount=-100)
    return invoice


def lines(invoice: Invoice, policy: BillingPolicy) -> list[tuple[str, str, int, bool]]:
    document = compose(invoice, policy)
    return [(line.name, line.description, line.amount, line.quantity is None) for line in document.lines]


def test_a_summary_has_one_line_a_component_and_the_same_sum(invoice):
    assert lines(invoice, SUMMARY) == [
        ("Team", "", 9900, True),
        ("Calls", "", 500, True),
        ("Work", "On the phone", 50, True),
        ("Discount", "1%", -100, True),
    ]
    assert [name for name, *_ in lines(invoice, DETAILED)] == ["Team", "Calls (eu)", "Calls (us)", "Work", "Discount"]
    assert {sum(amount for _, _, amount, _ in lines(invoice, policy)) for policy in (SUMMARY, DETAILED)} == {10_350}


def test_pdf_email_and_stripe_show_what_the_level_says(invoice):
    summary, detailed = (compose(invoice, policy) for policy in (SUMMARY, DETAILED))
    texts = [PdfReader(BytesIO(render_pdf(document))).pages[0].extract_text() for document in (summary, detailed)]
    assert ["Unit price" in text for text in texts] == ["Tier by tier" in text for text in texts] == [False, True]
    assert [line.detail for line in invoice_email(summary).lines] == [""] * 4
    assert invoice_email(detailed).lines[1].detail == "300 × $0.01"
    assert "Calls (eu)" in [line.description for line in order_for(invoice, SUMMARY).lines]
    assert "Calls (eu): Tier by tier" in [line.description for line in order_for(invoice, DETAILED).lines]


def test_what_was_issued_keeps_its_level(invoice):
    """A receipt, which is made later, says what the invoice said."""
    invoice.policy_snapshot = SUMMARY.snapshot()
    invoice.issued_at = datetime(2026, 2, 1, tzinfo=UTC)
    assert lines(invoice, DETAILED) == lines(invoice, SUMMARY)
    invoice.issued_at = None
    assert lines(invoice, DETAILED) != lines(invoice, SUMMARY)


@pytest.mark.parametrize(
    ("country", "width"),
    [("US", 612), ("United States", 612), ("canada", 612), (" México ", 612), ("", 595), ("DE", 595), ("Japan", 595)],
)
def test_the_paper_is_the_one_of_the_vendors_country(country, width):
    vendor = VendorFactory.build(country=country)
    assert paper_of(vendor) == ("us-letter" if width == 612 else "a4")


def test_a_vendor_in_america_prints_on_letter(invoice):
    invoice.vendor.country = "USA"
    page = PdfReader(BytesIO(render_pdf(compose(invoice, DETAILED)))).pages[0]
    assert tuple(map(round, page.mediabox[2:])) == (612, 792)
