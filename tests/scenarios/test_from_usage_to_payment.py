"""The whole line: real usage, both grace periods, an invoice, its payment, and who is told."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from email.utils import getaddresses

import pytest
from django.core import mail
from django.utils import timezone
from standardwebhooks import Webhook

from customers.actors import SCHEDULE
from customers.models import WebhookEndpoint
from invoicing.invoices.lifecycle import push, void
from invoicing.invoices.states import InvoiceStatus
from invoicing.models import Invoice
from payments.stripe.customers import generate
from tests.world import OPERATOR, World, utc

S = InvoiceStatus

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def acme(world: World, stripe_sandbox):
    """$99 a month and $0.07 a request, paid by a Visa card."""
    meter = world.meter("requests", display_name="Requests", unit_name="request")
    plan = world.plan((meter, "API calls", Decimal(7)), base_price=9900, display_name="Pro")
    customer = world.customer("acme", display_name="Acme Inc.", email="ap@acme.example")
    counterpart = generate(customer, actor=SCHEDULE, real_now=timezone.now())
    give_card(stripe_sandbox, counterpart.external_id)
    world.subscribe(customer, plan, effective_at=utc(2026, 3, 1))
    for day in range(1, 31):
        world.use(customer, meter, 41, at=utc(2026, 3, day, 12))
    world.use(customer, meter, 4, at=utc(2026, 3, 31, 12))
    return customer


def give_card(stripe_sandbox, customer: str, card: str = "pm_card_visa") -> None:
    stripe = stripe_sandbox.client()
    method = stripe.v1.payment_methods.attach(card, {"customer": customer})
    stripe.v1.customers.update(customer, {"invoice_settings": {"default_payment_method": method.id}})


def by_stripe(world: World, **others: object) -> None:
    world.settings(
        should_send_invoice_to_customers=True,
        invoice_via_octane=False,
        charges_enabled=True,
        invoice_grace_period_length=1,
        payment_grace_period_length=2,
        invoice_memo="Thank you, {customer_display_name}: {billing_cycle_start} to {billing_cycle_end}",
        **others,
    )


def test_a_month_of_usage_becomes_a_paid_stripe_invoice(world, acme, stripe_sandbox, listener):
    by_stripe(world)
    stripe = stripe_sandbox.client()

    world.move_to(utc(2026, 3, 31, 23))  # the last day of the cycle
    assert world.invoices() == []
    world.move_to(utc(2026, 4, 1, 23))  # within the invoice grace period
    assert world.invoices() == []

    world.move_to(utc(2026, 4, 2, 1))
    invoice = world.invoice()
    assert (invoice.status, invoice.amount_due, invoice.number) == (S.GENERATED, 18_538, "")
    assert invoice.memo == "Thank you, Acme Inc.: 2026-03-01 to 2026-03-31"
    assert [(line.name, line.quantity, line.amount) for line in invoice.line_items.all()] == [
        ("Pro", 1, 9900),
        ("API calls", 1234, 8638),
    ]
    assert stripe.v1.invoices.list().data == []

    world.move_to(utc(2026, 4, 4, 0, 30))  # the payment grace period is over, Stripe's draft hour is not
    invoice = world.invoice()
    assert (invoice.status, invoice.number) == (S.ISSUED, "INV-00001")
    assert invoice.issued_at == utc(2026, 4, 4)
    [draft] = stripe.v1.invoices.list().data
    assert (draft.status, draft.total, draft.description) == ("draft", 18_538, invoice.memo)

    world.move_to(utc(2026, 4, 4, 2))
    invoice = world.invoice()
    assert (invoice.status, invoice.amount_paid) == (S.PAID, 18_538)
    assert invoice.paid_at == utc(2026, 4, 4, 1)
    [paid] = stripe.v1.invoices.list().data
    assert (paid.id, paid.status, len(paid.lines.data)) == (invoice.external_invoice_id, "paid", 2)
    [charge] = stripe.v1.charges.list().data
    assert (charge.amount, charge.paid) == (18_538, True)

    assert listener.kinds("invoice.") == ["invoice.generated", "invoice.issued", "invoice.paid"]
    assert world.kinds(invoice) == ["invoice.generated", "invoice.issued", "invoice.paid"]
    secret = WebhookEndpoint.objects.get().secret
    for headers, body in listener.received:
        assert Webhook(secret).verify(body, {k.lower(): v for k, v in headers.items()})
    assert len({event["idempotency_key"] for event in listener.events}) == len(listener.events)


def test_an_override_sends_one_customer_an_email_and_nothing_to_stripe(world, acme, stripe_sandbox, listener):
    by_stripe(world)
    world.override(acme, invoice_via_octane=True, days_until_due=10)
    world.move_to(utc(2026, 4, 4, 2))

    invoice = world.invoice()
    assert (invoice.status, invoice.amount_due) == (S.ISSUED, 18_538)
    assert invoice.due_date == utc(2026, 4, 14)
    [message] = mail.outbox
    assert message.to == ["ap@acme.example"]
    assert getaddresses([message.from_email])[0][0] == "Northwind"
    assert invoice.number in message.subject
    [(name, content, kind)] = message.attachments
    assert (name, kind, content[:5]) == (f"{invoice.number}.pdf", "application/pdf", b"%PDF-")
    assert content == bytes(invoice.document.pdf)
    assert stripe_sandbox.client().v1.invoices.list().data == []
    assert listener.kinds("invoice.") == ["invoice.generated", "invoice.issued"]


def test_a_declined_card_fails_the_payment_with_the_reason(world, acme, stripe_sandbox, listener):
    by_stripe(world)
    counterpart = acme.stripe_customers.get().external_id
    give_card(stripe_sandbox, counterpart, "pm_card_chargeCustomerFail")
    world.move_to(utc(2026, 4, 4, 2))
    invoice = world.invoice()
    assert (invoice.status, invoice.amount_paid) == (S.PAYMENT_FAILED, 0)
    assert "declined" in invoice.payment_error
    [payment] = invoice.payments.all()
    assert (payment.state, payment.amount) == ("failed", 18_538)
    assert listener.kinds("invoice.")[-1] == "invoice.payment_failed"


def test_a_failed_payment_is_tried_again_when_a_person_says_so(world, acme, stripe_sandbox, listener):
    by_stripe(world)
    counterpart = acme.stripe_customers.get().external_id
    give_card(stripe_sandbox, counterpart, "pm_card_chargeCustomerFail")
    world.move_to(utc(2026, 4, 4, 2))
    push(world.invoice(), actor=OPERATOR, now=world.now, real_now=timezone.now())
    world.rest()
    assert world.invoice().status == S.PAYMENT_FAILED
    assert world.invoice().payments.filter(state="failed").count() == 2

    give_card(stripe_sandbox, counterpart)
    push(world.invoice(), actor=OPERATOR, now=world.now, real_now=timezone.now())
    world.rest()
    invoice = world.invoice()
    assert (invoice.status, invoice.amount_paid, invoice.payment_error) == (S.PAID, 18_538, "")
    paid = [charge for charge in stripe_sandbox.client().v1.charges.list().data if charge.paid]
    assert [charge.amount for charge in paid] == [18_538]
    kinds = listener.kinds("invoice.payment") + listener.kinds("invoice.paid")
    assert kinds == ["invoice.payment_failed", "invoice.payment_failed", "invoice.paid"]


def test_voiding_here_voids_in_stripe(world, acme, stripe_sandbox):
    by_stripe(world, stripe_immediate_finalization=True)
    world.override(acme, charges_enabled=False)
    world.move_to(utc(2026, 4, 4, 2))
    assert world.invoice().status == S.ISSUED
    void(world.invoice(), actor=OPERATOR, reason="duplicate", now=world.now, real_now=timezone.now())
    world.rest()
    invoice = world.invoice()
    assert (invoice.status, invoice.next_action, invoice.last_error) == (S.VOIDED, "", "")
    [there] = stripe_sandbox.client().v1.invoices.list().data
    assert there.status == "void"
    assert world.kinds(invoice).count("invoice.voided") == 1


def test_without_delivery_nothing_leaves_and_the_invoice_says_why(world, acme, stripe_sandbox):
    world.move_to(utc(2026, 4, 5))
    invoice = world.invoice()
    assert (invoice.status, invoice.number, invoice.next_action) == (S.GENERATED, "", "")
    assert world.kinds(invoice) == ["invoice.generated", "invoice.kept"]
    assert mail.outbox == []
    assert stripe_sandbox.client().v1.invoices.list().data == []


def test_no_email_in_stripe_fails_the_issue_and_a_cure_lets_it_pass(world, acme, stripe_sandbox):
    by_stripe(world, retry_attempts=1, retry_frequency_length=12, retry_frequency_unit="hour")
    counterpart = acme.stripe_customers.get().external_id
    stripe = stripe_sandbox.client()
    stripe.v1.customers.update(counterpart, {"email": ""})
    world.move_to(utc(2026, 4, 4, 2))
    invoice = world.invoice()
    assert (invoice.status, invoice.next_action_at) == (S.INVOICING_FAILED, utc(2026, 4, 4, 12))
    assert "no e-mail address" in invoice.invoicing_error
    assert stripe.v1.invoices.list().data == []

    stripe.v1.customers.update(counterpart, {"email": "ap@acme.example"})
    world.move_to(utc(2026, 4, 4, 14))
    invoice = world.invoice()
    assert (invoice.status, invoice.invoicing_error) == (S.PAID, "")
    assert len(stripe.v1.invoices.list().data) == 1
    assert len(stripe.v1.charges.list().data) == 1


def test_a_year_of_cycles_gives_twelve_invoices_numbered_without_gaps(world, acme):
    by_stripe(world)
    world.move_to(utc(2027, 3, 5))
    invoices = world.invoices()
    assert [invoice.number for invoice in invoices] == [f"INV-{n:05d}" for n in range(1, 13)]
    assert {invoice.status for invoice in invoices} == {S.PAID}
    assert invoices[0].amount_due == 18_538
    assert {invoice.amount_due for invoice in invoices[1:]} == {9900}
    for before, after in zip(invoices, invoices[1:], strict=False):
        assert before.period_end == after.period_start


def test_saving_settings_moves_what_is_not_issued_yet(world, acme):
    by_stripe(world)
    world.move_to(utc(2026, 4, 2, 1))
    from customers.hooks import policy_changed

    world.settings(payment_grace_period_length=5)
    moved = policy_changed(world.vendor, None, now=world.now, real_now=timezone.now())
    assert moved == 1
    invoice = Invoice.objects.get()
    assert invoice.next_action_at - invoice.generated_at == timedelta(days=5)
