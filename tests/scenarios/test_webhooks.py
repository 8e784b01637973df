"""What the vendor's endpoint is told, held against docs/webhooks.md."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from customers.actors import SCHEDULE
from customers.directory import NewCustomer, create_customer, delete_customer, update_customer
from customers.events.endpoints import send_test
from customers.events.models import PUBLIC_KINDS, EventKind
from customers.models import WebhookEndpoint
from invoicing.invoices import collection, disputes, lifecycle, refunds
from invoicing.invoices.ledger import Dispute, Refund
from invoicing.invoices.states import InvoiceStatus
from invoicing.models import Meter, MeteredComponent
from invoicing.subscriptions.verbs import end_subscription
from invoicing.usage.folding import fold_usage
from payments.stripe.customers import generate
from tests import documented
from tests.world import OPERATOR, World, utc

pytestmark = pytest.mark.django_db(transaction=True)


def by(world: World) -> dict[str, Any]:
    return {"actor": SCHEDULE, "now": world.now, "real_now": timezone.now()}


@pytest.fixture
def acme(world: World, stripe_sandbox):
    """$99 a month, charged by Stripe after both grace periods."""
    world.settings(
        should_send_invoice_to_customers=True,
        invoice_via_octane=False,
        charges_enabled=True,
        invoice_grace_period_length=1,
        payment_grace_period_length=2,
    )
    customer = create_customer(world.vendor, NewCustomer("acme", contact={"email": "ap@acme.example"}), **by(world))
    counterpart = generate(customer, actor=SCHEDULE, real_now=timezone.now()).external_id
    stripe = stripe_sandbox.client()
    method = stripe.v1.payment_methods.attach("pm_card_visa", {"customer": counterpart})
    stripe.v1.customers.update(counterpart, {"invoice_settings": {"default_payment_method": method.id}})
    world.rest()
    meter = world.meter()
    world.subscribe(customer, world.plan((meter, "Calls", Decimal(7))), effective_at=utc(2026, 3, 1))
    return customer


def test_the_order_of_events_around_the_end_of_a_cycle(world, acme, listener):
    end_subscription(acme, at_cycle_end=True, **by(world))
    world.rest()
    assert listener.kinds("subscription.") == ["subscription.new", "subscription.ended"]
    told = []
    for moment in [(3, 31, 23), (4, 1, 23), (4, 2, 1), (4, 3, 23), (4, 4, 0, 30), (4, 4, 2)]:
        before = len(listener.events)
        world.move_to(utc(2026, *moment))
        told.append([event["event_type"] for event in listener.events[before:]])
    assert told == [[], [], ["invoice.generated"], [], ["invoice.issued"], ["invoice.paid"]]
    invoice = [event["data"] for event in listener.events if event["event_type"].startswith("invoice.")]
    assert [data["sequence"] for data in invoice] == [1, 2, 3]
    subscription = [event["data"] for event in listener.events if event["event_type"].startswith("subscription.")]
    assert [data["sequence"] for data in subscription] == [1, 2]


# Told by what the world does; most other invoice events differ from these in their status alone.
LIVED = {"invoice.generated", "invoice.issued", "invoice.paid"}


def tell(world, kind: EventKind) -> None:
    invoice = world.invoice()
    if "dispute" in kind:
        dispute = Dispute(invoice=invoice, state="lost", amount=500, reason="fraudulent", due_by=world.now)
        when = by(world)
        disputes.tell(dispute, kind, now=when["now"], real_now=when["real_now"])
    elif kind in (EventKind.INVOICE_PARTLY_PAID, EventKind.INVOICE_OVERPAID):
        collection.tell_amount(invoice, kind, 500, **by(world))
    elif kind in (EventKind.INVOICE_REFUNDED, EventKind.INVOICE_REFUND_FAILED):
        when = by(world)
        refund = Refund(invoice=invoice, amount=500, actor_kind="operator", actor_label="Olivia")
        refunds.tell(refund, kind, now=when["now"], real_now=when["real_now"])
    else:
        lifecycle.note_fact(invoice, kind, **by(world))


def test_every_event_is_documented_as_it_is_sent(world, acme, listener):
    update_customer(acme, {"display_name": "Acme"}, **by(world))
    end_subscription(acme, at_cycle_end=True, **by(world))
    passing = create_customer(world.vendor, NewCustomer("passing"), **by(world))
    delete_customer(passing, **by(world))
    MeteredComponent.objects.update(limit=10)
    world.use(acme, Meter.objects.get(), 12)
    fold_usage()
    world.move_to(utc(2026, 4, 4, 2))
    for kind in sorted(PUBLIC_KINDS - LIVED):
        if kind.startswith("invoice."):
            tell(world, EventKind(kind))
    send_test(WebhookEndpoint.objects.get(), actor=OPERATOR, now=world.now, real_now=timezone.now())
    world.rest()

    examples = documented.examples()
    assert set(examples) == PUBLIC_KINDS
    sent = {event["event_type"]: event for event in listener.events}
    assert set(sent) == PUBLIC_KINDS
    for kind, event in sent.items():
        assert documented.shape(event) == documented.shape(examples[kind]), kind
        assert examples[kind]["event_type"] == kind
    statuses = {example["data"].get("status") for example in examples.values()} - {None}
    assert statuses == set(InvoiceStatus.values)


def test_a_receiver_that_is_down_does_not_keep_the_clock_waiting(world, acme, listener):
    url = WebhookEndpoint.objects.get().url
    listener_down = url.replace("/hook", "").rsplit(":", 1)[0] + ":9/"
    WebhookEndpoint.objects.update(url=listener_down)
    world.move_to(utc(2026, 4, 4, 2))
    assert world.invoice().status == InvoiceStatus.PAID
    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.deliveries.filter(state="pending", attempts=0).exists(), "they wait behind the first"
    assert endpoint.held_until - timezone.now() < timedelta(minutes=6)
    WebhookEndpoint.objects.update(url=url, held_until=None)
    endpoint.deliveries.update(next_attempt_at=timezone.now())
    world.rest()
    assert listener.kinds("invoice.") == ["invoice.generated", "invoice.issued", "invoice.paid"]
    assert not endpoint.deliveries.exclude(state="delivered").exists()
