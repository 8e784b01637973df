"""Rules that stop an invoice for a person: which, why, and how it goes on."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from customers.models import Event
from invoicing.invoices.generation import generate_due
from invoicing.invoices.lifecycle import approve, push, void
from invoicing.models import BillingCycle, Invoice
from invoicing.subscriptions.advance import end_due_cycles
from tests.world import OPERATOR, World, utc

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world() -> World:
    return World(utc(2026, 3, 1), name="northwind")


def by(world: World) -> dict[str, Any]:
    return {"actor": OPERATOR, "now": world.now, "real_now": timezone.now()}


def test_from_the_first_bill_to_one_that_is_much_higher(world: World) -> None:
    world.settings(hold_first_invoice=True, hold_change_above=20, hold_amount_above=50_000)
    meter = world.meter()
    customer = world.customer("acme")
    world.subscribe(customer, world.plan((meter, "Requests", 1), base_price=10_000))
    for month, used in ((3, 0), (4, 2_000), (5, 2_401), (6, 45_000)):
        if used:
            world.use(customer, meter, used, at=utc(2026, month, 10))
    world.move_to(utc(2026, 7, 1, 1))
    march, april, may, june = world.invoices(customer)
    assert march.approval_reason == "Held: first bill of this customer."
    assert (march.is_approved, march.next_action, march.next_action_at) == (False, "approve", None)
    assert [april.approval_reason, may.approval_reason] == ["", ""]  # by just 20 %, and less
    assert june.approval_reason == (
        "Held: $550.00 is above $500.00; it is 343 % more than the $124.01 of the last bill."
    )
    told = Event.objects.get(kind="invoice.generated", subject_id=march.pk)
    assert told.payload["approval_reason"] == march.approval_reason
    assert Event.objects.get(kind="invoice.generated", subject_id=may.pk).payload["approval_reason"] == ""

    approve(march, **by(world))
    push(june, **by(world))
    world.rest()
    march, april, may, june = world.invoices(customer)
    assert [invoice.approval_reason for invoice in (march, june)] == ["", ""]
    assert [invoice.is_approved for invoice in (march, june)] == [True, True]
    assert june.hold_reason  # what it was held for stays on record
    assert [invoice.next_action for invoice in (march, june)] == ["", ""]  # delivery is off: they stay here


def test_a_flag_holds_and_a_voided_bill_is_none(world: World) -> None:
    world.settings(hold_first_invoice=True)
    flagged, other = world.customer("acme", review_reason="Disputes everything."), world.customer("globex")
    plan = world.plan()
    for customer in (flagged, other):
        world.subscribe(customer, plan)
    world.move_to(utc(2026, 4, 1, 1))
    void(world.invoice(other), reason="wrong", **by(world))
    world.move_to(utc(2026, 5, 1, 1))
    assert [invoice.approval_reason for invoice in world.invoices(flagged)] == [
        "Held: the customer is flagged: Disputes everything; first bill of this customer.",
        "Held: the customer is flagged: Disputes everything.",
    ]
    assert world.invoices(other)[1].approval_reason == "Held: first bill of this customer."


def test_many_are_decided_with_as_many_queries_as_one(world: World) -> None:
    world.settings(hold_first_invoice=True, hold_change_above=10)
    plan, asked = world.plan(), []
    for count, index in ((1, 0), (6, 1)):
        for n in range(count):
            world.subscribe(world.customer(f"c-{index}-{n}"), plan, effective_at=utc(2026, 1, 1))
        cycles = BillingCycle.objects.filter(customer__name__startswith=f"c-{index}", end__lte=world.now)
        while end_due_cycles(cycles, limit=100, real_now=timezone.now()):
            pass
        first = cycles.order_by("end").values_list("end", flat=True)[0]
        with CaptureQueriesContext(connection) as queries:
            generate_due(cycles.filter(end=first), limit=100, real_now=timezone.now())
        asked.append(len(queries))
    assert asked[0] == asked[1]
    assert Invoice.objects.filter(hold_reason="first bill of this customer").count() == 7
