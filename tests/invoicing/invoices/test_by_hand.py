"""Money that came by wire, by cheque, in cash: written down as payments."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from customers.actors import Actor, ActorKind
from customers.errors import Busy, Conflict, Invalid
from customers.models import BillingSettings, Event
from invoicing.gateways import GatewayInvoice, GatewayPayment, GatewayStatus
from invoicing.invoices import lifecycle
from invoicing.invoices.by_hand import record_payment
from invoicing.invoices.collection import settle
from invoicing.models import Invoice, OutgoingEmail
from tests.factories import InvoiceFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 2, 10, 9, tzinfo=UTC)
BY: dict[str, Any] = {"actor": Actor(ActorKind.OPERATOR, "olivia@example.com", "1"), "now": NOW, "real_now": NOW}
HELD = {"gateway": "stripe", "gateway_account": "acct_1", "external_invoice_id": "in_1"}


def issued(**fields: Any) -> Invoice:
    """Of $10.00."""
    invoice: Invoice = InvoiceFactory(
        **{"status": "INVOICE_ISSUED", "next_action": "", "next_action_at": None, "paid_at": None, **fields}
    )
    return invoice


def kinds(invoice: Invoice) -> list[str]:
    return list(Event.objects.filter(subject_id=invoice.pk).order_by("pk").values_list("kind", flat=True))


def test_a_part_then_the_rest_and_something_over() -> None:
    invoice = issued()
    BillingSettings.objects.create(
        vendor=invoice.vendor, updated_at=NOW, should_send_invoice_to_customers=True, send_receipts=True
    )
    invoice = record_payment(invoice, amount=400, means="Bank transfer", reference="4711", **BY)
    assert (invoice.status, invoice.amount_paid, invoice.amount_remaining) == ("INVOICE_ISSUED", 400, 600)
    invoice = record_payment(invoice, amount=750, received_on=date(2026, 2, 8), means="Cheque", **BY)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.amount_due) == ("INVOICE_PAID", 1000)
    assert (invoice.amount_paid, invoice.amount_overpaid, invoice.amount_remaining) == (1000, 150, 0)
    assert invoice.paid_at == datetime(2026, 2, 8, 12, tzinfo=UTC)
    first, second = invoice.payments.order_by("amount")
    assert (first.method, first.reference, first.excess) == ("Bank transfer", "4711", 0)
    assert (second.amount, second.excess, second.occurred_at) == (750, 150, invoice.paid_at)
    assert kinds(invoice) == ["invoice.partly_paid", "invoice.paid", "invoice.overpaid"]
    partly = Event.objects.get(kind="invoice.partly_paid")
    assert partly.details["note"] == "$4.00, Bank transfer, reference 4711."
    assert (partly.payload["amount"], partly.payload["amount_paid"], partly.actor_label) == (
        400, 400, "olivia@example.com",
    )  # fmt: skip
    assert invoice.amount_refundable == 0
    assert [email.kind for email in OutgoingEmail.objects.all()] == ["receipt"]


def test_money_for_a_paid_invoice_is_overpaid() -> None:
    invoice = lifecycle.mark_paid(issued(), **BY)
    assert [(payment.amount, payment.is_by_hand) for payment in invoice.payments.all()] == [(1000, True)]
    invoice = record_payment(invoice, amount=300, **BY)
    assert (invoice.status, invoice.amount_paid, invoice.amount_overpaid) == ("INVOICE_PAID", 1000, 300)
    assert kinds(invoice) == ["invoice.paid", "invoice.overpaid"]


def test_marking_as_paid_pays_what_a_part_payment_left() -> None:
    invoice = lifecycle.mark_paid(record_payment(issued(), amount=400, **BY), **BY)
    assert (invoice.status, invoice.amount_paid) == ("INVOICE_PAID", 1000)
    assert sorted(payment.amount for payment in invoice.payments.all()) == [400, 600]


def test_stripe_is_told_when_all_of_it_came_and_its_news_keep_what_was_over() -> None:
    invoice = record_payment(issued(**HELD), amount=1200, means="Wire", **BY)
    assert (invoice.status, invoice.next_action, invoice.amount_overpaid) == (
        "INVOICE_PAID", "mark_paid_at_gateway", 200,
    )  # fmt: skip
    Invoice.objects.filter(pk=invoice.pk).update(next_action="", next_action_at=None)
    assert settle("in_1", GatewayInvoice("in_1", GatewayStatus.PAID, "", amount_paid=1000), real_now=NOW) == ""
    invoice.refresh_from_db()
    assert (invoice.amount_paid, invoice.amount_overpaid, invoice.payment_retry_attempt) == (1000, 200, 0)
    assert kinds(invoice) == ["invoice.paid", "invoice.overpaid"]


def test_both_at_once_is_shown_as_overpaid_and_stripes_part_can_be_given_back() -> None:
    """Stripe charged the card at the moment in which a person wrote the wire down."""
    lifecycle.mark_paid(issued(**HELD), **BY)
    charge = GatewayPayment("py_1", succeeded=True, amount=1000, method="Visa ending in 4242", occurred_at=NOW)
    paid = GatewayInvoice("in_1", GatewayStatus.PAID, "charge_automatically", amount_paid=1000, payments=(charge,))
    for _ in range(2):
        settle("in_1", paid, real_now=NOW)
    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.amount_paid, invoice.amount_overpaid) == ("INVOICE_PAID", 1000, 1000)
    assert invoice.amount_refundable == 1000
    assert kinds(invoice) == ["invoice.paid", "invoice.overpaid"]


def test_what_stripe_collected_can_be_refunded_and_what_came_by_hand_cannot() -> None:
    charge = GatewayPayment("py_1", succeeded=True, amount=1000, method="Visa ending in 4242", occurred_at=NOW)
    invoice = issued(**HELD)
    paid = GatewayInvoice("in_1", GatewayStatus.PAID, "charge_automatically", amount_paid=1000, payments=(charge,))
    settle("in_1", paid, real_now=NOW)
    invoice = record_payment(invoice, amount=500, **BY)
    assert (invoice.amount_overpaid, invoice.amount_refundable) == (500, 1000)


@pytest.mark.parametrize(
    ("fields", "given", "error"),
    [
        (HELD, {"amount": 400}, "amount: Stripe holds it and would still collect all of it.*at least \\$10.00"),
        ({"status": "INVOICE_GENERATED"}, {"amount": 999}, "amount: It is not issued yet.*at least \\$10.00"),
        ({}, {"amount": 0}, "amount: Give an amount above zero"),
        ({}, {"amount": 2**63}, "amount: Give an amount above zero"),
        ({}, {"amount": 5, "received_on": date(2026, 2, 11)}, "received_on: Give a day until today, 2026-02-10"),
    ],
)
def test_what_cannot_be_recorded_changes_nothing(fields: dict[str, Any], given: dict[str, Any], error: str) -> None:
    invoice = issued(**fields)
    before = Invoice.objects.filter(pk=invoice.pk).values().get()
    with pytest.raises(Invalid, match=error):
        record_payment(invoice, **given, **BY)
    assert Invoice.objects.filter(pk=invoice.pk).values().get() == before
    assert (invoice.payments.count(), kinds(invoice)) == (0, [])


def test_not_while_the_card_is_being_charged() -> None:
    lease = {"claim_token": "9e2b2d0e-6c0f-4c1c-8a58-6a2b1d1c9f00", "claimed_until": NOW + timedelta(minutes=1)}
    invoice = issued(**HELD, status="PAYMENT_FAILED", **lease)
    Invoice.objects.filter(pk=invoice.pk).update(next_action="collect", next_action_at=NOW)
    with pytest.raises(Busy, match="waits for an answer from Stripe"):
        record_payment(invoice, amount=1000, **BY)


def test_a_voided_invoice_takes_none() -> None:
    with pytest.raises(Conflict, match="cannot take a payment: it is voided"):
        record_payment(issued(status="INVOICE_VOIDED"), amount=1000, **BY)
