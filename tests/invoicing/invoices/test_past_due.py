"""An open invoice passes its due date; and what else endpoints are told as a change of an invoice."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from customers.events.dispatch import dispatch
from customers.events.post import body_of
from customers.models import Event, WebhookEndpoint
from invoicing.invoices.due_dates import change_due_date
from invoicing.invoices.lifecycle import mark_paid
from invoicing.invoices.past_due import tell_past_due, untold
from invoicing.invoices.pausing import pause, resume
from invoicing.models import Invoice
from tests.world import OPERATOR, World, utc

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    """Acme and Globex are billed on 1 February and have thirty days to pay."""
    world = World(utc(2026, 1, 1))
    world.settings(should_send_invoice_to_customers=True, payment_grace_period_length=2, days_until_due=30)
    plan = world.plan()
    for name in ("acme", "globex"):
        world.subscribe(world.customer(name), plan, effective_at=utc(2026, 1, 1))
    world.move_to(utc(2026, 2, 4))
    return world


def invoice_of(name: str) -> Invoice:
    return Invoice.objects.select_related("vendor", "customer").get(customer__name=name, period_start=utc(2026, 1, 1))


def told(kind: str) -> list[tuple[str, str]]:
    events = Event.objects.filter(kind=kind).order_by("pk")
    return [(event.payload["customer_name"], event.payload["status"]) for event in events]


def test_it_is_told_once_when_the_vendors_clock_passes_the_due_date(world: World) -> None:
    world.override(invoice_of("acme").customer, should_send_invoice_to_customers=False)
    world.override(invoice_of("globex").customer, should_send_invoice_to_customers=False)
    due = invoice_of("acme").due_date
    assert due is not None
    world.move_to(due - timedelta(hours=1))
    assert told("invoice.past_due") == []
    paid = invoice_of("globex")
    mark_paid(paid, actor=OPERATOR, now=world.now, real_now=timezone.now())
    world.move_to(due + timedelta(days=1))
    assert told("invoice.past_due") == [("acme", "INVOICE_ISSUED")]
    event = Event.objects.get(kind="invoice.past_due")
    assert (event.occurred_at, invoice_of("acme").past_due_at) == (due, due)
    world.move_by(days=20)
    assert len(told("invoice.past_due")) == 1
    assert not untold().exists()


def test_many_cost_the_statements_of_one(world: World, django_assert_num_queries) -> None:
    from customers.due import due_at

    Invoice.objects.update(due_date=world.now - timedelta(days=1))
    with django_assert_num_queries(7):
        assert not tell_past_due(due_at(world.vendor, world.now, "due_date"), real_now=timezone.now())
    assert {name for name, _ in told("invoice.past_due")} == {"acme", "globex"}


def test_changes_of_one_transaction_are_told_as_one_update(world: World) -> None:
    world.vendor.refresh_from_db()
    WebhookEndpoint.objects.create(vendor=world.vendor, url="http://127.0.0.1:9/", created_at=timezone.now())
    world.settings(should_automatically_approve_invoices=False, payment_grace_period_length=5)
    world.move_to(utc(2026, 3, 2))
    invoice = Invoice.objects.filter(status="INVOICE_GENERATED").order_by("pk")[0]
    while dispatch(real_now=timezone.now()):
        pass
    before = Event.objects.filter(sequence__isnull=False).count()
    by = {"actor": OPERATOR, "now": world.now, "real_now": timezone.now()}
    with transaction.atomic():
        pause(invoice, reason="Disputed", **by)
        change_due_date(invoice, day=date(2026, 4, 1), **by)
    dispatch(real_now=timezone.now())
    [one] = Event.objects.filter(sequence__isnull=False).order_by("pk")[before:]
    assert (one.kind, one.told_kind) == ("invoice.paused", "invoice.updated")
    assert b'"event_type":"invoice.updated"' in body_of(one)
    resume(invoice, **by)
    dispatch(real_now=timezone.now())
    assert Event.objects.filter(sequence__isnull=False).count() == before + 2
