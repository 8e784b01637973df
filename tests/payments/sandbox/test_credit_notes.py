"""Credit notes: off what is due first, and given back of what was paid for the rest."""

from typing import Any

import pytest
import stripe

from tests.sandbox_server import SANDBOX_ONLY

pytestmark = SANDBOX_ONLY


@pytest.fixture
def opened(client: Any, customer: Any, draft: Any) -> Any:
    """An open invoice of 25.00."""
    return client.v1.invoices.finalize_invoice(draft(customer("pm_card_visa")).id)


def test_what_is_due_is_lowered_and_asked_for_again_when_it_is_voided(client, opened, event_types):
    note = client.v1.credit_notes.create({"invoice": opened.id, "amount": 1_000})
    assert (note.type, note.pre_payment_amount, note.post_payment_amount) == ("pre_payment", 1_000, 0)
    assert note.number == f"{opened.number}-CN-01"
    seen = client.v1.invoices.retrieve(opened.id, {"expand": ["payments.data.payment.payment_intent"]})
    assert (seen.total, seen.amount_due, seen.amount_remaining, seen.status) == (2_500, 1_500, 1_500, "open")
    assert seen.pre_payment_credit_notes_amount == 1_000
    assert seen.payments.data[0].payment.payment_intent.amount == 1_500
    assert client.v1.credit_notes.void_credit_note(note.id).status == "void"
    again = client.v1.invoices.retrieve(opened.id)
    assert (again.amount_due, again.amount_remaining, again.pre_payment_credit_notes_amount) == (2_500, 2_500, 0)
    assert [kind for kind in event_types() if kind.startswith("credit_note")] == [
        "credit_note.created",
        "credit_note.voided",
    ]
    assert client.v1.invoices.pay(opened.id).amount_paid == 2_500
    with pytest.raises(stripe.InvalidRequestError, match="already been voided"):
        client.v1.credit_notes.void_credit_note(note.id)


def test_an_invoice_that_is_credited_whole_is_paid(client, opened, event_types):
    client.v1.credit_notes.create({"invoice": opened.id, "amount": 2_500})
    seen = client.v1.invoices.retrieve(opened.id)
    assert (seen.status, seen.amount_paid, seen.amount_remaining) == ("paid", 0, 0)
    assert event_types().count("invoice.paid") == 1
    assert [intent.status for intent in client.v1.payment_intents.list().data] == ["canceled"]


def test_what_was_paid_goes_back_by_the_ways_that_are_named(client, opened):
    client.v1.invoices.pay(opened.id)
    with pytest.raises(stripe.InvalidRequestError, match=r"post payment amount \(600\)"):
        client.v1.credit_notes.create({"invoice": opened.id, "amount": 600, "refund_amount": 500})
    note = client.v1.credit_notes.create(
        {"invoice": opened.id, "amount": 600, "refund_amount": 400, "credit_amount": 200}
    )
    assert (note.type, note.post_payment_amount, len(note.refunds)) == ("post_payment", 600, 1)
    assert [(one.id, one.amount) for one in client.v1.refunds.list().data] == [(note.refunds[0].refund, 400)]
    assert client.v1.customers.retrieve(opened.customer).balance == -200
    seen = client.v1.invoices.retrieve(opened.id)
    assert (seen.status, seen.amount_paid, seen.post_payment_credit_notes_amount) == ("paid", 2_500, 600)
    with pytest.raises(stripe.InvalidRequestError, match=r"more than can be credited \(1900\)"):
        client.v1.credit_notes.create({"invoice": opened.id, "amount": 2_000, "credit_amount": 2_000})
    with pytest.raises(stripe.InvalidRequestError, match="open invoices can be voided"):
        client.v1.credit_notes.void_credit_note(note.id)


def test_a_preview_changes_nothing(client, opened):
    shown = client.v1.credit_notes.preview({"invoice": opened.id, "amount": 1_000})
    assert (shown.pre_payment_amount, len(shown.lines.data)) == (1_000, 1)
    assert client.v1.credit_notes.list().data == []
    assert client.v1.invoices.retrieve(opened.id).amount_remaining == 2_500


@pytest.mark.parametrize("status", ["draft", "void"])
def test_only_what_is_final_can_be_credited(client, customer, draft, status):
    invoice = draft(customer("pm_card_visa"))
    if status == "void":
        client.v1.invoices.finalize_invoice(invoice.id)
        client.v1.invoices.void_invoice(invoice.id)
    with pytest.raises(stripe.InvalidRequestError, match=f"this one is {status}"):
        client.v1.credit_notes.create({"invoice": invoice.id, "amount": 100})


def test_money_that_is_held_is_taken_in_part_or_let_go(client, customer, event_types):
    owner = customer("pm_card_visa")
    terms: dict[str, Any] = {"amount": 700, "currency": "usd", "customer": owner.id, "capture_method": "manual"}
    terms |= {"payment_method": owner.invoice_settings.default_payment_method, "confirm": True}
    held = client.v1.payment_intents.create(terms)
    assert (held.status, held.amount_capturable, held.amount_received) == ("requires_capture", 700, 0)
    with pytest.raises(stripe.InvalidRequestError, match="greater than the amount you can capture"):
        client.v1.payment_intents.capture(held.id, {"amount_to_capture": 701})
    taken = client.v1.payment_intents.capture(held.id, {"amount_to_capture": 500, "expand": ["latest_charge"]})
    assert (taken.status, taken.amount_received, taken.amount_capturable) == ("succeeded", 500, 0)
    assert (taken.latest_charge.amount_captured, taken.latest_charge.amount_refunded) == (500, 200)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.capture(held.id)
    other = client.v1.payment_intents.create(terms)
    assert client.v1.payment_intents.cancel(other.id).status == "canceled"
    assert client.v1.charges.retrieve(other.latest_charge).refunded is True
    assert {"charge.captured", "payment_intent.amount_capturable_updated"} <= set(event_types())
