"""The verbs of an invoice's life: what each allows, refuses, and writes down."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from customers.actors import SCHEDULE, Actor, ActorKind
from customers.errors import Conflict
from customers.models import Event
from invoicing.invoices import lifecycle
from invoicing.invoices.lifecycle import StaleInvoice, transition
from invoicing.invoices.states import TRANSITIONS, InvoiceStatus
from invoicing.invoices.verbs import InvoiceVerb, available_actions, check
from invoicing.models import Invoice
from tests.factories import InvoiceFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 2, 2, 9, tzinfo=UTC)
WHEN = {"now": NOW, "real_now": NOW}
OLIVIA = Actor(ActorKind.OPERATOR, "olivia@example.com", "1")
S = InvoiceStatus


def change(invoice, to, **columns):
    return transition(invoice, to, "invoice.issued", actor=SCHEDULE, **WHEN, **columns)


@pytest.mark.parametrize(("origin", "to"), list(product(S, S)))
def test_the_table_decides_for_every_pair_of_states(origin, to):
    invoice = InvoiceFactory(status=origin)
    if to in TRANSITIONS[origin]:
        change(invoice, to)
        assert Invoice.objects.get(pk=invoice.pk).status == to
        [event] = Event.objects.all()
        assert event.details == {"from": origin, "to": to}
        assert event.payload["invoice_id"] == str(invoice.uuid)
    else:
        with pytest.raises(Conflict, match=origin.label.lower()):
            change(invoice, to)
        assert Invoice.objects.get(pk=invoice.pk).status == origin
        assert not Event.objects.exists()


def test_somebody_faster_wins_and_nothing_is_written_twice():
    invoice = InvoiceFactory()
    seen_by_another = Invoice.objects.get(pk=invoice.pk)
    change(invoice, S.ISSUED)
    with pytest.raises(StaleInvoice, match="changed meanwhile"):
        change(seen_by_another, S.INVOICING_FAILED)
    assert Invoice.objects.get(pk=invoice.pk).status == S.ISSUED
    assert Event.objects.count() == 1


@pytest.mark.parametrize("state", [s for s in S if S.VOIDED not in TRANSITIONS[s]])
def test_void_is_refused_with_the_reason(state):
    invoice = InvoiceFactory(status=state)
    with pytest.raises(Conflict, match=f"cannot be voided: it is {state.label.lower()}"):
        lifecycle.void(invoice, actor=OLIVIA, reason="wrong", **WHEN)
    assert not Event.objects.exists()


def test_void_tells_who_and_why_and_passes_it_on_where_stripe_holds_it():
    here, there = InvoiceFactory(), InvoiceFactory(status=S.ISSUED, gateway="stripe", external_invoice_id="in_1")
    for invoice in (here, there):
        lifecycle.void(invoice, actor=OLIVIA, reason="duplicate", **WHEN)
    here.refresh_from_db()
    there.refresh_from_db()
    assert (here.status, here.next_action, here.next_action_at) == (S.VOIDED, "", None)
    assert (there.status, there.next_action, there.next_action_at) == (S.VOIDED, "void_at_gateway", NOW)
    event = Event.objects.get(subject_id=here.pk)
    assert (event.actor_label, event.details["reason"]) == ("olivia@example.com", "duplicate")


def test_mark_paid_records_the_full_amount():
    invoice = InvoiceFactory(status=S.ISSUED)
    lifecycle.mark_paid(invoice, actor=OLIVIA, **WHEN)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.amount_paid, invoice.paid_at) == (S.PAID, 1000, NOW)
    assert invoice.amount_due == 1000
    assert invoice.amount_remaining == 0


def test_approve_plans_the_issue_at_the_end_of_the_grace_period():
    later = NOW + timedelta(days=2)
    invoice = InvoiceFactory(is_approved=False, next_action="approve", next_action_at=None, issue_date=later)
    lifecycle.approve(invoice, actor=OLIVIA, **WHEN)
    invoice.refresh_from_db()
    assert (invoice.is_approved, invoice.next_action, invoice.next_action_at) == (True, "issue", later)
    with pytest.raises(Conflict, match="needs no approval: it is approved"):
        lifecycle.approve(invoice, actor=OLIVIA, **WHEN)


def test_push_approves_and_issues_without_waiting():
    later = NOW + timedelta(days=2)
    invoice = InvoiceFactory(is_approved=False, next_action="approve", next_action_at=None, issue_date=later)
    lifecycle.push(invoice, actor=OLIVIA, **WHEN)
    invoice.refresh_from_db()
    assert (invoice.is_approved, invoice.next_action, invoice.next_action_at) == (True, "issue", NOW)


def test_delete_only_before_there_is_a_number():
    unnumbered, numbered = InvoiceFactory(number=""), InvoiceFactory(number="INV-00001")
    lifecycle.delete(unnumbered, actor=OLIVIA, **WHEN)
    with pytest.raises(Conflict, match="it has its number"):
        lifecycle.delete(numbered, actor=OLIVIA, **WHEN)
    assert list(Invoice.objects.all()) == [numbered]
    assert [event.kind for event in Event.objects.all()] == ["invoice.deleted"]


@pytest.mark.parametrize(
    ("state", "verbs"),
    [
        (S.GENERATED, {"push", "pause", "change_due_date", "mark_paid", "record_payment", "void"}),
        (S.INVOICING_FAILED, {"push", "pause", "change_due_date", "mark_paid", "record_payment", "void"}),
        (S.ISSUED, {"send", "pause", "mark_paid", "record_payment", "void", "mark_uncollectible"}),
        (S.PAYMENT_FAILED, {"send", "pause", "mark_paid", "record_payment", "void", "mark_uncollectible"}),
        (S.UNCOLLECTIBLE, {"send", "mark_paid", "record_payment", "void"}),
        (S.PAID, {"send", "record_payment"}),
        (S.VOIDED, set()),
    ],
)
def test_available_actions_are_those_that_would_not_be_refused(state, verbs):
    invoice = InvoiceFactory(status=state)
    assert set(available_actions(invoice)) == verbs
    for verb in InvoiceVerb:
        if verb not in verbs:
            with pytest.raises(Conflict):
                check(invoice, verb)
