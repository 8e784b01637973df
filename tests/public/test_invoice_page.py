"""What a customer sees through the link in an e-mail, and what nobody sees without it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from customers.money import format_money
from invoicing.invoices.ledger import Refund
from invoicing.invoices.lifecycle import mark_paid, void
from invoicing.invoices.links import page_url, pdf_url
from invoicing.models import Invoice
from tests.factories import InvoiceFactory, LineItemFactory
from tests.world import OPERATOR, World, utc

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world() -> World:
    world = World(utc(2026, 3, 1), name="northwind", display_name="Northwind")
    world.settings(
        should_send_invoice_to_customers=True,
        include_ach_instructions=True,
        ach_account_number="DE0212",
        send_receipts=True,
    )
    return world


@pytest.fixture
def invoice(world: World) -> Invoice:
    fields = {"number": "", "generated_at": world.now, "sub_total": 2_000, "paid_at": None, "issued_at": None}
    invoice = InvoiceFactory.create(customer=world.customer("acme", display_name="Acme <b>"), **fields)
    for position in range(20):
        LineItemFactory.create(invoice=invoice, position=position, name=f"Line {position}.", amount=100)
    world.rest()
    return fresh(invoice)


def fresh(invoice: Invoice) -> Invoice:
    return Invoice.objects.select_related("vendor", "customer").get(pk=invoice.pk)


def path_of(invoice: Invoice) -> str:
    return urlsplit(page_url(invoice)).path


def seen(invoice: Invoice) -> str:
    answer = Client().get(path_of(invoice))
    assert answer.status_code == 200
    return answer.content.decode()


def by(world: World) -> dict[str, Any]:
    return {"actor": OPERATOR, "now": world.now, "real_now": timezone.now()}


def test_the_email_leads_to_the_page_with_everything_on_it(invoice: Invoice) -> None:
    [message] = mail.outbox
    assert page_url(invoice) in message.body
    page = seen(invoice)
    assert page.count("<tr><td>Line ") == 20
    for words in ("$20.00", "Open", "Invoice INV-00001 for Acme &lt;b&gt;", "DE0212", "Open the PDF"):
        assert words in page
    assert "Pay this invoice" not in page
    pdf = Client().get(f"{path_of(invoice)}/pdf")
    assert (pdf["Content-Type"], pdf.content) == ("application/pdf", bytes(invoice.document.pdf))


def test_nobody_else_learns_of_it(invoice: Invoice) -> None:
    for path in (path_of(invoice), f"{path_of(invoice)}/pdf", "/i/nonsense"):
        answer = Client().get(path)
        assert answer["X-Robots-Tag"].startswith("noindex")
        assert answer["Cache-Control"] == "private, no-store"
        assert answer["Referrer-Policy"] == "no-referrer"
        assert "default-src 'self'" in answer["Content-Security-Policy"]
        assert "unsafe" not in answer["Content-Security-Policy"]


def test_where_stripe_holds_it_the_page_leads_to_paying_it(invoice: Invoice) -> None:
    Invoice.objects.filter(pk=invoice.pk).update(hosted_url="https://pay.example/in_1")
    assert 'href="https://pay.example/in_1"' in seen(invoice)


def test_only_the_link_opens_it(invoice: Invoice) -> None:
    token = path_of(invoice).removeprefix("/i/")
    uuid, signature = token.split(".")
    other = InvoiceFactory.create(status="INVOICE_ISSUED")
    vendors_own = urlsplit(pdf_url(invoice)).path.split("/")[-2]
    for wrong in (uuid, f"{uuid}.", f"{other.uuid}.{signature}", token[:-1], vendors_own):
        assert Client().get(f"/i/{wrong}").status_code == 404
    assert len(signature) >= 43


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_is_for_reading_only(invoice: Invoice, method: str) -> None:
    before = Invoice.objects.values().get(pk=invoice.pk)
    assert getattr(Client(), method)(path_of(invoice)).status_code == 405
    seen(invoice)
    assert Invoice.objects.values().get(pk=invoice.pk) == before


def test_before_its_issue_and_after_its_deletion_it_does_not_open(world: World) -> None:
    waiting = {"status": "INVOICE_GENERATED", "issued_at": None, "paid_at": None, "next_action_at": None}
    invoice = InvoiceFactory.create(customer=world.customer("globex"), **waiting)
    assert Client().get(path_of(invoice)).status_code == 404
    path = path_of(invoice)
    invoice.delete()
    assert Client().get(path).status_code == 404


def test_it_follows_what_becomes_of_the_invoice(world: World, invoice: Invoice) -> None:
    kept = bytes(invoice.document.pdf)
    Invoice.objects.filter(pk=invoice.pk).update(due_date=world.now - timedelta(days=1))
    assert "Past due" in seen(invoice)
    mark_paid(fresh(invoice), **by(world))
    page = seen(invoice)
    assert "Paid" in page
    assert "DE0212" not in page
    Refund.objects.create(
        invoice=invoice, amount=500, state=Refund.State.SUCCEEDED, created_at=world.now, actor_kind="operator"
    )
    assert "Refunded" in seen(invoice)
    assert bytes(fresh(invoice).document.pdf) == kept


def test_a_voided_invoice_says_so_and_asks_for_nothing(world: World, invoice: Invoice) -> None:
    Invoice.objects.filter(pk=invoice.pk).update(hosted_url="https://pay.example/in_1")
    void(fresh(invoice), reason="Wrong customer", **by(world))
    page = seen(invoice)
    assert "Void: nothing is to be paid" in page
    for words in ("https://pay.example", "DE0212", "Wrong customer"):
        assert words not in page


def test_a_link_that_is_opened_too_often_rests_for_a_minute(invoice: Invoice, settings: Any) -> None:
    settings.INVOICE_PAGE_REQUESTS_PER_MINUTE = 2
    codes = [Client().get(path_of(invoice)).status_code for _ in range(6)]
    assert codes[:2] == [200, 200]
    assert 429 in codes  # the minute may turn once in between


def test_what_was_issued_never_changes(world: World, invoice: Invoice) -> None:
    """Whatever is edited afterwards, the document is the one that was sent."""
    kept = bytes(invoice.document.pdf)
    world.settings(
        invoice_memo="New", customer_invoice_detail_level="SUMMARY", invoice_logo_url="https://x.example/l.png"
    )
    world.vendor.display_name = "Southwind"
    world.vendor.save()
    invoice.customer.display_name = "Other"
    invoice.customer.save()
    mark_paid(fresh(invoice), **by(world))
    world.rest()
    assert bytes(fresh(invoice).document.pdf) == kept
    assert Client().get(f"{path_of(invoice)}/pdf").content == kept


def test_a_refund_is_told_with_what_went_back(world: World, invoice: Invoice) -> None:
    from invoicing.gateways import GatewayRefund, RefundStatus
    from invoicing.invoices import refunds

    mark_paid(fresh(invoice), **by(world))
    world.rest()
    mail.outbox.clear()
    for name, amount in (("re_1", 500), ("re_1", 500), ("re_2", 700)):
        made = GatewayRefund(name, RefundStatus.SUCCEEDED, amount, world.now)
        refunds.settle(fresh(invoice), [made], real_now=timezone.now())
        world.rest()
    first, second = mail.outbox
    assert first.subject == f"Refund for invoice {invoice.number} from Northwind: $5.00 refunded"
    assert "in all" not in first.body
    assert f"{format_money(1_200, 'USD')} have been refunded in all" in second.body
    assert [name for name, _, _ in first.attachments] == [f"{invoice.number}.pdf"]
