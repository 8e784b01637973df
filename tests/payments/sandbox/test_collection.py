"""Charging: which card, what a decline leaves behind, when it is tried again, what is given back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe

from payments.sandbox import clock
from payments.sandbox.collect import RETRY_AFTER_DAYS
from tests.sandbox_server import SANDBOX_ONLY

pytestmark = SANDBOX_ONLY


def at(timestamp: int) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)


def test_paying_makes_one_charge_and_says_so(client, customer, draft, event_types):
    owner = customer("pm_card_visa")
    invoice = client.v1.invoices.finalize_invoice(draft(owner).id)
    before = len(event_types())
    paid = client.v1.invoices.pay(invoice.id, {"off_session": True})
    assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", 2500, 0)
    assert (paid.attempt_count, paid.attempted) == (1, True)
    assert event_types()[before:] == [
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice_payment.paid",
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
    ]
    charge = client.v1.charges.list({"customer": owner.id}).data[0]
    assert (charge.amount, charge.paid, charge.payment_method_details.card.last4) == (2500, True, "4242")
    by_intent = {"type": "payment_intent", "payment_intent": charge.payment_intent}
    assert client.v1.invoice_payments.list({"payment": by_intent}).data[0].invoice == invoice.id


def test_a_decline_leaves_the_invoice_open_and_explains(client, customer, draft, event_types):
    invoice = client.v1.invoices.finalize_invoice(draft(customer("pm_card_chargeCustomerFail")).id)
    with pytest.raises(stripe.CardError) as decline:
        client.v1.invoices.pay(invoice.id)
    error: Any = decline.value.error
    assert (decline.value.http_status, error.code, error.decline_code) == (402, "card_declined", "generic_decline")
    assert error.payment_intent.status == "requires_payment_method"
    assert error.payment_intent.payment_method is None
    assert error.payment_intent.latest_charge == error.charge
    assert error.payment_method.card.last4 == "0341"
    found = client.v1.invoices.retrieve(invoice.id)
    assert (found.status, found.attempt_count, found.attempted) == ("open", 1, True)
    assert found.next_payment_attempt is None
    assert event_types()[-4:] == [
        "charge.failed",
        "payment_intent.payment_failed",
        "invoice.updated",
        "invoice.payment_failed",
    ]


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ],
)
def test_declining_cards_cannot_be_saved_and_cannot_be_charged(client, customer, card, code, decline_code):
    owner = customer()
    with pytest.raises(stripe.CardError) as decline:
        client.v1.payment_methods.attach(card, {"customer": owner.id})
    error: Any = decline.value.error
    assert (error.code, error.decline_code) == (code, decline_code)
    assert client.v1.customers.payment_methods.list(owner.id).data == []
    with pytest.raises(stripe.CardError) as decline:
        client.v1.payment_intents.create(
            {"amount": 500, "currency": "usd", "customer": owner.id, "payment_method": card, "confirm": True}
        )
    assert decline.value.code == code
    assert client.v1.charges.list({"customer": owner.id}).data[0].failure_code == code


def test_each_use_of_a_test_id_is_a_card_of_its_own(client, customer):
    owner = customer()
    one, two = (client.v1.payment_methods.attach("pm_card_visa", {"customer": owner.id}) for _ in range(2))
    assert one.id != two.id
    assert one.id.startswith("pm_")
    assert "card" not in one.id
    assert one.card.fingerprint == two.card.fingerprint
    listed = client.v1.customers.payment_methods.list(owner.id)
    assert [m.id for m in listed.data] == [two.id, one.id]


def test_the_invoices_own_card_goes_before_the_customers_default(client, customer, draft):
    owner = customer("pm_card_chargeCustomerFail")
    good = client.v1.payment_methods.attach("pm_card_mastercard", {"customer": owner.id})
    invoice = draft(owner, default_payment_method=good.id)
    client.v1.invoices.finalize_invoice(invoice.id)
    assert client.v1.invoices.pay(invoice.id).status == "paid"
    named = client.v1.invoices.finalize_invoice(draft(owner).id)
    assert client.v1.invoices.pay(named.id, {"payment_method": good.id}).status == "paid"


def test_an_attached_card_that_is_no_default_is_not_charged(client, customer, draft):
    owner = customer()
    client.v1.payment_methods.attach("pm_card_visa", {"customer": owner.id})
    invoice = client.v1.invoices.finalize_invoice(draft(owner).id)
    with pytest.raises(stripe.InvalidRequestError, match="default_payment_method"):
        client.v1.invoices.pay(invoice.id)
    assert client.v1.invoices.retrieve(invoice.id).attempt_count == 0


def test_a_detached_card_is_no_default_any_more(client, customer, event_types):
    owner = customer("pm_card_visa")
    card = owner.invoice_settings.default_payment_method
    gone = client.v1.payment_methods.detach(card)
    assert gone.customer is None
    assert client.v1.customers.retrieve(owner.id).invoice_settings.default_payment_method is None
    event = client.v1.events.list({"type": "payment_method.detached"}).data[0]
    assert event.data.previous_attributes.to_dict() == {"customer": owner.id}
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_methods.attach(card, {"customer": owner.id})


def test_a_card_belongs_to_one_customer(client, customer, draft):
    one, two = customer("pm_card_visa"), customer()
    card = one.invoice_settings.default_payment_method
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_methods.attach(card, {"customer": two.id})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.customers.update(two.id, {"invoice_settings": {"default_payment_method": card}})
    with pytest.raises(stripe.InvalidRequestError):
        draft(two, default_payment_method=card)


def test_cards_are_edited(client, customer):
    card = customer("pm_card_visa").invoice_settings.default_payment_method
    changed = client.v1.payment_methods.update(
        card, {"card": {"exp_month": 1, "exp_year": 2031}, "billing_details": {"name": "Ada"}}
    )
    assert (changed.card.exp_month, changed.card.exp_year, changed.billing_details.name) == (1, 2031, "Ada")


def test_authentication_stops_a_charge_nobody_attends(client, customer, draft, event_types):
    owner = customer("pm_card_authenticationRequired")
    charge = {"amount": 500, "currency": "usd", "customer": owner.id, "confirm": True}
    charge["payment_method"] = owner.invoice_settings.default_payment_method
    with pytest.raises(stripe.CardError) as decline:
        client.v1.payment_intents.create({**charge, "off_session": True})
    assert decline.value.code == "authentication_required"
    attended = client.v1.payment_intents.create(charge)
    assert (attended.status, attended.next_action.type) == ("requires_action", "use_stripe_sdk")
    invoice = client.v1.invoices.finalize_invoice(draft(owner).id)
    with pytest.raises(stripe.CardError) as decline:
        client.v1.invoices.pay(invoice.id)
    assert decline.value.code == "invoice_payment_intent_requires_action"
    assert event_types()[-2:] == ["invoice.payment_action_required", "invoice.payment_failed"]


def test_a_free_intent_is_made_confirmed_and_cancelled(client, customer):
    owner = customer("pm_card_visa")
    made = client.v1.payment_intents.create(
        {
            "amount": 700,
            "currency": "usd",
            "customer": owner.id,
            "payment_method": owner.invoice_settings.default_payment_method,
            "metadata": {"portal": "1"},
        }
    )
    assert made.status == "requires_confirmation"
    done = client.v1.payment_intents.confirm(made.id, {"off_session": True, "expand": ["latest_charge"]})
    assert (done.status, done.amount_received, done.latest_charge.metadata["portal"]) == ("succeeded", 700, "1")
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.payment_intents.cancel(made.id)
    assert refusal.value.code == "payment_intent_unexpected_state"
    idle = client.v1.payment_intents.create({"amount": 700, "currency": "usd", "customer": owner.id})
    assert client.v1.payment_intents.cancel(idle.id).status == "canceled"


def test_an_invoices_intent_pays_the_invoice_and_is_not_cancelled_alone(client, customer, draft):
    owner = customer("pm_card_visa")
    invoice = client.v1.invoices.finalize_invoice(draft(owner).id, {"expand": ["payments"]})
    intent = invoice.payments.data[0].payment.payment_intent
    with pytest.raises(stripe.InvalidRequestError, match="Void the invoice"):
        client.v1.payment_intents.cancel(intent)
    card = owner.invoice_settings.default_payment_method
    assert client.v1.payment_intents.confirm(intent, {"payment_method": card}).status == "succeeded"
    assert client.v1.invoices.retrieve(invoice.id).status == "paid"


def test_automatic_retries_follow_the_schedule_and_end(stripe_sandbox, client, customer, draft, time_at):
    invoice = draft(customer("pm_card_chargeCustomerFail"), auto_advance=True)
    time_at(at(invoice.automatically_finalizes_at))
    found = client.v1.invoices.retrieve(invoice.id)
    for attempt, days in enumerate(RETRY_AFTER_DAYS, start=1):
        assert (found.status, found.attempt_count) == ("open", attempt)
        due = clock.next_due(stripe_sandbox.account, False)
        assert due == at(found.next_payment_attempt)
        assert due - clock.now(stripe_sandbox.account, False, due) == timedelta(days=days)
        time_at(due)
        found = client.v1.invoices.retrieve(invoice.id)
    assert (found.attempt_count, found.next_payment_attempt) == (len(RETRY_AFTER_DAYS) + 1, None)
    assert clock.next_due(stripe_sandbox.account, False) is None
    assert len(client.v1.charges.list().data) == len(RETRY_AFTER_DAYS) + 1


def test_a_retry_uses_the_new_card(stripe_sandbox, client, customer, draft, time_at):
    owner = customer("pm_card_chargeCustomerFail")
    invoice = draft(owner, auto_advance=True)
    time_at(at(invoice.automatically_finalizes_at))
    good = client.v1.payment_methods.attach("pm_card_visa", {"customer": owner.id})
    client.v1.customers.update(owner.id, {"invoice_settings": {"default_payment_method": good.id}})
    time_at(clock.next_due(stripe_sandbox.account, False))
    found = client.v1.invoices.retrieve(invoice.id)
    assert (found.status, found.attempt_count) == ("paid", 2)


def test_switching_auto_advance_off_stops_the_retries(stripe_sandbox, client, customer, draft, time_at):
    invoice = draft(customer("pm_card_chargeCustomerFail"), auto_advance=True)
    time_at(at(invoice.automatically_finalizes_at))
    assert client.v1.invoices.update(invoice.id, {"auto_advance": False}).next_payment_attempt is None
    assert clock.next_due(stripe_sandbox.account, False) is None


def test_refunds_add_up_and_never_exceed_the_charge(client, customer, draft, event_types):
    invoice = client.v1.invoices.finalize_invoice(draft(customer("pm_card_visa")).id, {"expand": ["payments"]})
    intent = invoice.payments.data[0].payment.payment_intent
    client.v1.invoices.pay(invoice.id)
    part = client.v1.refunds.create({"payment_intent": intent, "amount": 1000, "reason": "duplicate"})
    assert (part.status, part.amount) == ("succeeded", 1000)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        client.v1.refunds.create({"payment_intent": intent, "amount": 1501})
    rest = client.v1.refunds.create({"charge": part.charge})
    assert rest.amount == 1500
    charge = client.v1.charges.retrieve(part.charge, {"expand": ["refunds"]})
    assert (charge.refunded, charge.amount_refunded) == (True, 2500)
    assert [r.id for r in charge.refunds.data] == [rest.id, part.id]
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.refunds.create({"charge": part.charge})
    assert refusal.value.code == "charge_already_refunded"
    assert client.v1.invoices.retrieve(invoice.id).status == "paid"
    assert event_types()[-4:] == ["refund.created", "charge.refunded"] * 2


@pytest.mark.parametrize(
    ("card", "first", "last"),
    [("pm_card_pendingRefund", "pending", "succeeded"), ("pm_card_refundFail", "succeeded", "failed")],
)
def test_some_refunds_are_decided_later(stripe_sandbox, client, customer, time_at, card, first, last):
    paid = client.v1.payment_intents.create({"amount": 900, "currency": "usd", "payment_method": card, "confirm": True})
    refund = client.v1.refunds.create({"payment_intent": paid.id})
    assert refund.status == first
    time_at(clock.next_due(stripe_sandbox.account, False))
    assert client.v1.refunds.retrieve(refund.id).status == last
    charge = client.v1.charges.retrieve(refund.charge)
    assert charge.amount_refunded == (0 if last == "failed" else 900)
