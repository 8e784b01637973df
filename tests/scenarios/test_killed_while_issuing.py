"""Claim, commit, call, record: whatever the moment of death, one Stripe invoice and one charge."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from customers.actors import SCHEDULE
from customers.claims import claim
from customers.models import Event
from invoicing.invoices import advance
from invoicing.invoices.numbering import assign_numbers
from invoicing.invoices.states import InvoiceStatus
from invoicing.models import Invoice
from payments.stripe.customers import generate
from tests.crash import Killed, killed_after
from tests.factories import InvoiceFactory, LineItemFactory
from tests.scenarios.test_from_usage_to_payment import by_stripe, give_card
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)

LEASE = timedelta(seconds=60)


@pytest.fixture
def customer(world: World, stripe_sandbox):
    customer = world.customer("acme")
    give_card(stripe_sandbox, generate(customer, actor=SCHEDULE, real_now=timezone.now()).external_id)
    return customer


def due_invoice(customer) -> Invoice:
    now = customer.vendor.now(timezone.now())
    invoice = InvoiceFactory(customer=customer, number="", generated_at=now, paid_at=None, issued_at=None)
    LineItemFactory(invoice=invoice, position=0, amount=900)
    LineItemFactory(invoice=invoice, position=1, amount=100)
    return invoice


def step(invoice: Invoice, real_now) -> None:
    """What a tick and a worker do with one due invoice."""
    token, ids = claim(Invoice.objects.filter(pk=invoice.pk), real_now=real_now, lease=LEASE, limit=1)
    assign_numbers(invoice.vendor, ids, real_now=real_now)
    for pk in ids:
        advance.perform(pk, token, real_now=real_now)


def count_things(invoice: Invoice) -> int:
    with killed_after(10_000) as fuse:
        step(invoice, timezone.now())
    return len(fuse.done)


def test_by_stripe_one_invoice_whatever_the_moment(world, customer, stripe_sandbox):
    by_stripe(world)
    stripe = stripe_sandbox.client()
    step(due_invoice(customer), timezone.now())  # what happens only the first time: the number series
    things = count_things(due_invoice(customer))
    assert things > 20

    killed = 0
    for moment in range(things):
        invoice, real_now = due_invoice(customer), timezone.now()
        try:
            with killed_after(moment):
                step(invoice, real_now)
        except Killed:
            killed += 1
        later = real_now + LEASE + timedelta(seconds=1)
        step(invoice, later)
        invoice.refresh_from_db()
        assert invoice.status == InvoiceStatus.ISSUED, moment
        facts = Event.objects.filter(subject_kind="invoice", subject_id=invoice.pk, kind="invoice.issued")
        assert facts.count() == 1, moment
        made = [
            i for i in stripe.v1.invoices.list({"limit": 100}).data if i.metadata["portal_invoice"] == str(invoice.uuid)
        ]
        assert [(one.id, one.status, one.total, one.auto_advance) for one in made] == [
            (invoice.external_invoice_id, "draft", 1000, True)
        ], moment
        stripe.v1.invoices.delete(made[0].id)
        assert invoice.issue_attempts.count() == 1
    assert killed == things
    numbers = sorted(Invoice.objects.values_list("number", flat=True))
    assert numbers == [f"INV-{n:05d}" for n in range(1, things + 3)]


def test_by_email_never_twice_and_doubt_is_shown(world, customer):
    world.settings(should_send_invoice_to_customers=True)
    things = count_things(due_invoice(customer))
    mail.outbox.clear()

    doubtful = 0
    for moment in range(things):
        invoice, real_now = due_invoice(customer), timezone.now()
        mail.outbox.clear()
        try:
            with killed_after(moment):
                step(invoice, real_now)
        except Killed:
            pass
        step(invoice, real_now + LEASE + timedelta(seconds=1))
        invoice.refresh_from_db()
        assert len(mail.outbox) <= 1, moment
        if invoice.status == InvoiceStatus.INVOICING_FAILED:
            doubtful += 1
            assert "may or may not have been sent" in invoice.invoicing_error
            assert (invoice.next_action, invoice.next_action_at) == ("", None)
        else:
            assert (invoice.status, len(mail.outbox)) == (InvoiceStatus.ISSUED, 1), moment
    assert 0 < doubtful < things


def telling(done: list[str]) -> list[int]:
    """The moments around every request, and every third of the others."""
    return [n for n, what in enumerate(done) if n % 3 == 0 or what.startswith(("before ", "after "))]


def test_charged_and_emailed_once_whatever_the_moment(world, customer, stripe_sandbox):
    world.settings(should_send_invoice_to_customers=True, charges_enabled=True)
    stripe = stripe_sandbox.client()
    with killed_after(10_000) as fuse:
        step(due_invoice(customer), timezone.now())
    moments = telling(fuse.done)
    assert len(moments) > 15

    for moment in moments:
        invoice, real_now = due_invoice(customer), timezone.now()
        with suppress(Killed), killed_after(moment):
            step(invoice, real_now)
        step(invoice, real_now + LEASE + timedelta(seconds=1))
        invoice.refresh_from_db()
        assert (invoice.status, invoice.amount_paid) == (InvoiceStatus.PAID, 1000), moment
        facts = Event.objects.filter(subject_kind="invoice", subject_id=invoice.pk)
        assert facts.filter(kind="invoice.issued").count() == facts.filter(kind="invoice.paid").count() == 1, moment
        assert invoice.charge_attempts.count() == invoice.payments.count() == invoice.emails.count() == 1, moment
        assert invoice.issue_attempts.count() == 1, moment
    made = stripe.v1.payment_intents.list({"limit": 100}).data
    assert len({intent.metadata["portal_invoice"] for intent in made}) == len(made) == len(moments) + 1
    assert {intent.status for intent in made} == {"succeeded"}


def test_a_try_again_is_charged_once_whatever_the_moment(world, customer, stripe_sandbox):
    world.settings(should_send_invoice_to_customers=True, charges_enabled=True)
    counterpart = customer.stripe_customers.get().external_id
    stripe, moment = stripe_sandbox.client(), 0
    while True:
        give_card(stripe_sandbox, counterpart, "pm_card_chargeCustomerFail")
        invoice, real_now = due_invoice(customer), timezone.now()
        step(invoice, real_now)
        give_card(stripe_sandbox, counterpart)
        Invoice.objects.filter(pk=invoice.pk).update(next_action_at=invoice.generated_at)
        with suppress(Killed), killed_after(moment) as fuse:
            step(invoice, real_now)
        step(invoice, real_now + LEASE + timedelta(seconds=1))
        invoice.refresh_from_db()
        assert (invoice.status, invoice.amount_paid, invoice.next_action) == (InvoiceStatus.PAID, 1000, ""), moment
        made = [
            intent.status
            for intent in stripe.v1.payment_intents.list({"limit": 100}).data
            if intent.metadata["portal_invoice"] == str(invoice.uuid)
        ]
        assert sorted(made) == ["requires_payment_method", "succeeded"], moment
        if len(fuse.done) <= moment:
            break
        moment += 3
    assert moment > 20
