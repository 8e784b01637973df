"""/refund, and what an invoice says of its refunds."""

import pytest

from invoicing.models import Invoice, Payment
from tests.api.client import Api, answer, refusal
from tests.factories import START, CustomerFactory, InvoiceFactory, VendorFactory


@pytest.fixture
def paid(vendor) -> Invoice:
    return collected(CustomerFactory(vendor=vendor, name="acme"))


def collected(customer) -> Invoice:
    """Paid through Stripe: $50.00."""
    invoice = InvoiceFactory(
        customer=customer, status="INVOICE_PAID", number="INV-00001", issued_at=START, paid_at=START, amount_due=5_000,
        amount_paid=5_000, gateway="stripe", external_invoice_id="in_1", next_action="", next_action_at=None,
    )  # fmt: skip
    Payment.objects.create(invoice=invoice, state="succeeded", amount=5_000, external_id="ch_1", occurred_at=START)
    return invoice


def test_a_refund(api: Api, paid) -> None:
    body = {"invoice_uuid": str(paid.uuid), "amount": 2_000}
    assert answer(api.post("/refund/", body), 202) == {"success": True}
    shown = answer(api.get(f"/invoices/{paid.uuid}"))
    assert (shown["amount_refunded"], shown["amount_paid"], shown["next_action"]) == (2_000, 5_000, "refund")
    (refund,) = shown["refunds"]
    assert (refund["amount"], refund["status"], refund["currency"]) == (2_000, "sending", "USD")
    assert "refund" in shown["available_actions"]


@pytest.mark.parametrize("amount", [0, -5, 5_001, "much", None, 1.5])
def test_an_amount_that_cannot_be_refunded(api: Api, paid, amount) -> None:
    errors = refusal(api.post("/refund", {"invoice_uuid": str(paid.uuid), "amount": amount}), 422)
    assert "amount" in str(errors)
    assert not paid.refunds.exists()


def test_an_invoice_is_named_by_its_uuid(api: Api, paid) -> None:
    assert "invoice_uuid" in str(refusal(api.post("/refund", {"invoice_id": 5, "amount": 1}), 422))


def test_only_a_paid_invoice(api: Api, vendor) -> None:
    invoice = InvoiceFactory(customer=CustomerFactory(vendor=vendor))
    refusal(api.post("/refund", {"invoice_uuid": str(invoice.uuid), "amount": 1}), 409)


def test_another_vendors_invoice_is_not_found(api: Api) -> None:
    foreign = collected(CustomerFactory(vendor=VendorFactory()))
    refusal(api.post("/refund", {"invoice_uuid": str(foreign.uuid), "amount": 1}), 404)
    assert not foreign.refunds.exists()
