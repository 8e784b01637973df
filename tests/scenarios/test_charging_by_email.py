"""Invoices that we e-mail and charge to the stored payment method: one e-mail, one charge, our own retries."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from customers.actors import SCHEDULE
from customers.errors import Busy
from customers.models import Event
from invoicing.invoices import refunds
from invoicing.invoices.issue import issue
from invoicing.invoices.lifecycle import mark_paid, push
from invoicing.invoices.states import InvoiceStatus
from invoicing.invoices.verbs import available_actions
from invoicing.models import Invoice, Payment
from payments.models import StripeEvent
from payments.sandbox.models import Fault
from payments.stripe import processing
from payments.stripe.customers import generate
from tests.factories import InvoiceFactory, LineItemFactory
from tests.scenarios.test_from_usage_to_payment import give_card
from tests.world import OPERATOR, World

S = InvoiceStatus

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def charged(world: World):
    world.settings(
        should_send_invoice_to_customers=True,
        charges_enabled=True,
        send_receipts=True,
        communicate_payment_failures=True,
        retry_attempts=2,
    )
    mail.outbox.clear()
    return world


def customer_with(world: World, stripe_sandbox, card: str = "pm_card_visa", **fields):
    customer = world.customer("acme", email="ap@acme.example", **fields)
    counterpart = generate(customer, actor=SCHEDULE, real_now=timezone.now())
    if card:
        give_card(stripe_sandbox, counterpart.external_id, card)
    return customer


def due(customer, amount: int = 1000) -> Invoice:
    now = customer.vendor.now(timezone.now())
    invoice = InvoiceFactory(
        customer=customer, number="", sub_total=amount, generated_at=now, paid_at=None, issued_at=None
    )
    LineItemFactory(invoice=invoice, position=0, amount=amount)
    return invoice


def after(world: World, invoice: Invoice) -> Invoice:
    world.rest()
    world.rest()  # the e-mail that was written meanwhile
    return Invoice.objects.select_related("vendor", "customer").get(pk=invoice.pk)


def intents(stripe_sandbox):
    return stripe_sandbox.client().v1.payment_intents.list().data


def test_one_email_is_invoice_and_receipt(charged, stripe_sandbox):
    invoice = after(charged, due(customer_with(charged, stripe_sandbox)))
    assert (invoice.status, invoice.amount_paid, invoice.gateway) == (S.PAID, 1000, "")
    assert invoice.delivery == "Charged Visa ending in 4242, e-mailed to ap@acme.example"
    [intent] = intents(stripe_sandbox)
    assert (intent.status, intent.amount, intent.metadata["portal_invoice"]) == ("succeeded", 1000, str(invoice.uuid))
    [message] = mail.outbox
    assert "Paid with Visa ending in 4242. This invoice is also your receipt." in message.body
    assert [payment.external_id for payment in invoice.payments.all()] == [intent.latest_charge]
    kinds = charged.kinds(invoice)
    assert kinds.count("invoice.issued") == kinds.count("invoice.paid") == 1
    assert bytes(invoice.document.pdf).startswith(b"%PDF")


def test_a_refund_of_such_a_payment(charged, stripe_sandbox):
    invoice = after(charged, due(customer_with(charged, stripe_sandbox)))
    assert "refund" in available_actions(invoice)
    by = {"actor": OPERATOR, "reason": "", "now": charged.now, "real_now": timezone.now()}
    refunds.refund(invoice, 400, **by)
    invoice = after(charged, invoice)
    [refund] = invoice.refunds.all()
    assert (refund.state, invoice.amount_refunded, invoice.amount_refundable) == ("succeeded", 400, 600)
    stripe_sandbox.client().v1.refunds.create({"payment_intent": intents(stripe_sandbox)[0].id, "amount": 100})
    assert after(charged, invoice).amount_refunded == 500


def test_a_decline_is_told_once_and_tried_again_by_our_schedule(charged, stripe_sandbox):
    customer = customer_with(charged, stripe_sandbox, "pm_card_chargeCustomerFail")
    invoice = after(charged, due(customer))
    assert invoice.status == S.PAYMENT_FAILED
    assert "declined" in invoice.payment_error
    assert invoice.next_action == "collect"
    [message] = mail.outbox
    assert "We could not charge Visa ending in 0341. Please pay this invoice by other means." in message.body
    assert 0 < (invoice.next_action_at - charged.now).total_seconds() <= 86_400

    charged.move_by(days=1, hours=1)
    assert len(intents(stripe_sandbox)) == 2
    assert len(mail.outbox) == 2  # the second failure has a letter of its own
    give_card(stripe_sandbox, customer.stripe_customers.get().external_id)
    charged.move_by(days=1, hours=1)
    invoice = after(charged, invoice)
    assert (invoice.status, invoice.amount_paid, invoice.next_action) == (S.PAID, 1000, "")
    assert [attempt.state for attempt in invoice.charge_attempts.all()] == ["failed", "failed", "succeeded"]
    assert mail.outbox[-1].subject.startswith("Receipt")
    charged.move_by(days=9)
    assert len(intents(stripe_sandbox)) == 3


def test_retries_end_and_a_person_may_push(charged, stripe_sandbox):
    invoice = after(charged, due(customer_with(charged, stripe_sandbox, "pm_card_chargeCustomerFail")))
    charged.move_by(days=10)
    invoice = after(charged, invoice)
    assert (invoice.next_action, invoice.next_action_at) == ("", None)
    assert invoice.payments.count() == 3  # the charge and two retries
    assert "push" in available_actions(invoice)
    push(invoice, actor=OPERATOR, now=charged.now, real_now=timezone.now())
    assert after(charged, invoice).payments.count() == 4


def test_a_payment_that_the_bank_refuses_for_good_is_not_tried_again(charged, stripe_sandbox):
    """Off session it needs its owner, who is not there."""
    invoice = after(charged, due(customer_with(charged, stripe_sandbox, "pm_card_authenticationRequired")))
    assert (invoice.status, invoice.next_action) == (S.PAYMENT_FAILED, "")
    charged.move_by(days=10)
    assert len(intents(stripe_sandbox)) == 1


@pytest.mark.parametrize("card", ["", "expired"])
def test_without_a_usable_method_it_is_the_plain_invoice(charged, stripe_sandbox, card):
    customer = customer_with(charged, stripe_sandbox, "pm_card_visa" if card else "")
    if card:
        charged.move_by(days=2000)
    mail.outbox.clear()
    invoice = after(charged, due(customer))
    assert (invoice.status, invoice.next_action, invoice.gateway_account) == (S.ISSUED, "", "")
    assert "to be paid by other means" in invoice.delivery
    [message] = mail.outbox
    assert "charge" not in message.body
    assert intents(stripe_sandbox) == []


def test_an_override_to_email_alone_charges_nothing(charged, stripe_sandbox):
    charged.settings(invoice_via_octane=False, charges_enabled=True)
    customer = customer_with(charged, stripe_sandbox)
    charged.override(customer, invoice_via_octane=True)
    invoice = after(charged, due(customer))
    assert (invoice.status, intents(stripe_sandbox)) == (S.ISSUED, [])
    charged.override(customer, charges_enabled=True)
    assert after(charged, due(customer)).status == S.PAID


def test_an_amount_below_stripes_minimum_is_the_plain_invoice(charged, stripe_sandbox):
    invoice = after(charged, due(customer_with(charged, stripe_sandbox), amount=20))
    assert (invoice.status, invoice.next_action) == (S.ISSUED, "")
    assert "to be paid by other means" in invoice.delivery


def test_nothing_is_charged_twice_when_a_person_was_faster(charged, stripe_sandbox):
    customer = customer_with(charged, stripe_sandbox, "pm_card_chargeCustomerFail")
    invoice = after(charged, due(customer))
    give_card(stripe_sandbox, customer.stripe_customers.get().external_id)
    mark_paid(invoice, actor=OPERATOR, now=charged.now, real_now=timezone.now())
    charged.move_by(days=9)
    assert [intent.status for intent in intents(stripe_sandbox)] == ["requires_payment_method"]


FAULTS = ["timeout_before", "timeout_after", "error_500_before", "error_500_after", "rate_limit", "lock_timeout"]
FAULTS += ["conflict", "garbage"]


def test_a_lost_answer_is_asked_for_again(charged, stripe_sandbox, monkeypatch):
    monkeypatch.setattr("stripe._http_client.HTTPClient._sleep_time_seconds", lambda *args, **kwargs: 0)
    customer = customer_with(charged, stripe_sandbox)
    for number, kind in enumerate(FAULTS, start=1):
        invoice = due(customer)
        Invoice.objects.filter(pk=invoice.pk).update(number=f"LOST-{number}")
        Fault.objects.create(path_regex="/v1/payment_intents$", kind=kind, times=3, method="POST")
        real_now = timezone.now()
        issue(invoice, real_now=real_now)
        invoice.refresh_from_db()
        assert (invoice.status, invoice.invoice_retry_attempt, invoice.payment_retry_attempt) == (S.GENERATED, 0, 0)
        with pytest.raises(Busy):
            mark_paid(invoice, actor=OPERATOR, now=charged.now, real_now=real_now)
        Fault.objects.all().delete()
        issue(invoice, real_now=real_now + timedelta(seconds=1))
        invoice.refresh_from_db()
        assert invoice.status == S.PAID, kind
        assert [intent.status for intent in intents(stripe_sandbox)] == ["succeeded"] * number, kind
        assert invoice.charge_attempts.count() == invoice.payments.count() == invoice.emails.count() == 1, kind


def test_a_webhook_settles_what_was_still_pending(charged, stripe_sandbox):
    """As a bank debit does: under way at first, decided days later. And told twice, it happens once."""
    invoice = after(charged, due(customer_with(charged, stripe_sandbox)))
    Payment.objects.all().delete()
    Invoice.objects.filter(pk=invoice.pk).update(status=S.ISSUED, amount_paid=0, paid_at=None)
    invoice.charge_attempts.update(state="pending")
    with pytest.raises(Busy):
        mark_paid(Invoice.objects.get(pk=invoice.pk), actor=OPERATOR, now=charged.now, real_now=timezone.now())
    paid = Event.objects.filter(kind="invoice.paid").count()
    events = StripeEvent.objects.filter(type="payment_intent.succeeded")
    assert events.exists()
    for _ in range(2):
        processing.replay(events)
        invoice = after(charged, invoice)
        for pk in processing.sweep(real_now=timezone.now()):
            processing.process(pk, real_now=timezone.now())
    invoice = after(charged, invoice)
    assert (invoice.status, invoice.amount_paid, invoice.payments.count()) == (S.PAID, 1000, 1)
    assert Event.objects.filter(kind="invoice.paid").count() == paid + 1
