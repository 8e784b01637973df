"""Credit notes made in Stripe's dashboard: they come off what is due, and what they give back is a refund."""

from __future__ import annotations

from typing import Any

import pytest

from customers.settings.policy import policy_for
from invoicing.gateways import Advance, Collection
from invoicing.invoices.compose import compose
from invoicing.invoices.snapshot import snapshot_of
from invoicing.models import Invoice
from tests.payments.stripe.conftest import Shop, issued, stored

pytestmark = pytest.mark.urls("payments.stripe.urls")


def opened(shop: Shop) -> Invoice:
    return issued(shop, shop.customer(), 10_000, advance=Advance.AT_ONCE, collection=Collection.SEND_INVOICE)


def figures(invoice: Invoice) -> tuple[str, int, int, int, int]:
    known = Invoice.objects.get(pk=invoice.pk)
    known.customer_snapshot = snapshot_of(known.customer)
    assert compose(known, policy_for(known.customer)).amount_remaining == known.amount_remaining
    return known.status, known.amount_due, known.amount_credited, known.amount_paid, known.amount_remaining


def test_a_part_comes_off_is_put_back_and_the_rest_is_paid(shop: Shop) -> None:
    invoice = opened(shop)
    note = shop.stripe.credit_notes.create({"invoice": invoice.external_invoice_id, "amount": 3_000})
    shop.deliver()
    assert figures(invoice) == ("INVOICE_ISSUED", 10_000, 3_000, 0, 7_000)
    shop.stripe.credit_notes.void_credit_note(note.id)
    shop.deliver()
    assert figures(invoice) == ("INVOICE_ISSUED", 10_000, 0, 0, 10_000)
    shop.stripe.credit_notes.create({"invoice": invoice.external_invoice_id, "amount": 4_000})
    shop.stripe.invoices.pay(invoice.external_invoice_id)
    shop.deliver()
    assert figures(invoice) == ("INVOICE_PAID", 10_000, 4_000, 6_000, 0)
    assert {state for kind, state in stored() if kind.startswith("credit_note")} == {"processed"}
    assert shop.kinds().count("invoice.paid") == 1


def test_credited_whole_it_is_settled_without_a_payment(shop: Shop) -> None:
    invoice = opened(shop)
    shop.stripe.credit_notes.create({"invoice": invoice.external_invoice_id, "amount": 10_000})
    shop.deliver(list(reversed(shop.events_sent())))
    assert figures(invoice) == ("INVOICE_PAID", 10_000, 10_000, 0, 0)
    assert not invoice.payments.filter(state="succeeded").exists()


def test_after_the_payment_what_goes_back_is_a_refund(shop: Shop) -> None:
    invoice = opened(shop)
    shop.stripe.invoices.pay(invoice.external_invoice_id)
    ways: Any = {"refund_amount": 2_500, "credit_amount": 500}
    shop.stripe.credit_notes.create({"invoice": invoice.external_invoice_id, "amount": 3_000, **ways})
    shop.deliver()
    assert figures(invoice) == ("INVOICE_PAID", 10_000, 0, 10_000, 0)
    known = Invoice.objects.get(pk=invoice.pk)
    assert (known.amount_refunded, known.amount_refundable) == (2_500, 7_500)


def test_credit_notes_of_others_are_ignored(shop: Shop) -> None:
    theirs = shop.stripe.customers.create({"email": "x@example.com"})
    made = shop.stripe.invoices.create({"customer": theirs.id, "currency": "usd"})
    shop.stripe.invoices.add_lines(made.id, {"lines": [{"amount": 900}]})
    shop.stripe.invoices.finalize_invoice(made.id)
    before = shop.mark()
    shop.stripe.credit_notes.create({"invoice": made.id, "amount": 100})
    shop.deliver()
    assert {state for kind, state in stored() if kind.startswith("credit_note")} == {"ignored"}
    assert [path for _, path in shop.calls(before)] == ["/v1/credit_notes"]
