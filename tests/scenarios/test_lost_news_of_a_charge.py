"""An e-mailed invoice was charged and no news of it came: stuck objects are asked for, and the comparison finds it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from customers.actors import SCHEDULE
from invoicing.invoices.charge_attempts import ChargeAttempt
from invoicing.models import Invoice, Payment
from payments.models import Difference, StripeConnection, StripeEvent
from payments.reconcile import run, stuck
from payments.stripe.customers import generate
from tests.factories import InvoiceFactory, LineItemFactory
from tests.scenarios.test_from_usage_to_payment import give_card
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def unheard(world: World, stripe_sandbox) -> Invoice:
    """The bank had not decided when we asked; it has since."""
    world.settings(should_send_invoice_to_customers=True, charges_enabled=True)
    customer = world.customer("acme", email="ap@acme.example")
    give_card(stripe_sandbox, generate(customer, actor=SCHEDULE, real_now=timezone.now()).external_id)
    invoice = InvoiceFactory(
        customer=customer, number="", sub_total=1000, generated_at=world.now, paid_at=None, issued_at=None
    )
    LineItemFactory(invoice=invoice, position=0, amount=1000)
    world.rest()
    world.rest()
    Payment.objects.all().delete()
    StripeEvent.objects.all().delete()
    ChargeAttempt.objects.update(state="pending", finished_at=None)
    Invoice.objects.update(status="INVOICE_ISSUED", paid_at=None, amount_paid=0)
    mail.outbox.clear()
    return Invoice.objects.get()


def test_asked_for_after_ten_minutes(unheard: Invoice, stripe_sandbox) -> None:
    start = timezone.now()
    assert stuck.notice(real_now=start) == 1
    assert stuck.ask(real_now=start + timedelta(minutes=9)) == 0
    assert stuck.ask(real_now=start + timedelta(minutes=10)) == 1
    unheard.refresh_from_db()
    assert (unheard.status, unheard.amount_paid) == ("INVOICE_PAID", 1000)


def test_found_by_the_comparison_and_repaired(unheard: Invoice, stripe_sandbox) -> None:
    connection = StripeConnection.objects.get()
    begun = run.start(connection, by="a test", real_now=timezone.now(), since=timezone.now() - timedelta(days=9999))
    done = run.drive(begun.pk, clock=timezone.now)
    assert done is not None
    assert done.money["USD"]["paid"] == {"differs": 1000}
    found = Difference.objects.get()
    assert (found.kind, found.invoice) == ("payment_unknown", unheard)
    begun = run.start(connection, by="a test", real_now=timezone.now(), since=done.since, repairs=True)
    done = run.drive(begun.pk, clock=timezone.now)
    assert done is not None
    unheard.refresh_from_db()
    assert (done.repaired, unheard.status, unheard.amount_paid) == (1, "INVOICE_PAID", 1000)
    assert Payment.objects.count() == 1
