"""Refunds: asked for here or made in Stripe, whole or in parts, never more than was paid, never twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db.models import Q
from django.utils import timezone

from customers.errors import Conflict, Invalid
from customers.models import Event
from invoicing.gateways import Advance
from invoicing.invoices import refunds
from invoicing.invoices.advance import hand_out, perform
from invoicing.invoices.verbs import InvoiceVerb, available_actions
from invoicing.models import Invoice, Refund
from tests.payments.stripe.conftest import OPERATOR, Shop, issued, stored

pytestmark = pytest.mark.urls("payments.stripe.urls")

State = Refund.State


@pytest.fixture
def paid(shop: Shop) -> Invoice:
    return paid_with(shop, "pm_card_visa")


def paid_with(shop: Shop, card: str) -> Invoice:
    """An invoice of $100.00 that Stripe has charged."""
    invoice = issued(shop, shop.customer(card), 4_000, 6_000, advance=Advance.AT_ONCE)
    shop.deliver()
    invoice.refresh_from_db()
    assert (invoice.status, invoice.amount_paid) == ("INVOICE_PAID", 10_000)
    return invoice


def ask(invoice: Invoice, amount: int) -> Refund:
    now = timezone.now()
    return refunds.refund(invoice, amount, actor=OPERATOR, reason="Too much", now=now, real_now=now)


def step(real_now: datetime | None = None) -> None:
    """What workers do with due invoices."""
    at = real_now or timezone.now()
    hand_out(Q(next_action_at__lte=at), real_now=at, hand_over=lambda pk, token: perform(pk, token, real_now=at))


def at_stripe(shop: Shop) -> list[int]:
    """The amounts of the refunds that Stripe knows of, oldest first."""
    return [refund.amount for refund in reversed(shop.stripe.refunds.list().data)]


def told(invoice: Invoice, kind: str = "invoice.refunded") -> list[Event]:
    return list(Event.objects.of(invoice.vendor).filter(kind=kind).order_by("pk"))


def test_a_part_then_the_rest(shop: Shop, paid: Invoice) -> None:
    first = ask(paid, 2_500)
    assert (first.state, paid.amount_refundable) == (State.SENDING, 7_500)
    step()
    first.refresh_from_db()
    assert (first.state, first.external_id is not None) == (State.SUCCEEDED, True)
    ask(paid, 7_500)
    step()
    assert at_stripe(shop) == [2_500, 7_500]
    paid = Invoice.objects.get(pk=paid.pk)
    assert (paid.amount_refunded, paid.amount_refundable, paid.status) == (10_000, 0, "INVOICE_PAID")
    assert (paid.next_action, paid.next_action_at) == ("", None)
    assert InvoiceVerb.REFUND not in available_actions(paid)
    with pytest.raises(Conflict, match="all of it went back"):
        ask(paid, 1)


def test_the_fact_is_told_once_with_who_asked(shop: Shop, paid: Invoice) -> None:
    ask(paid, 2_500)
    step()
    shop.deliver()
    shop.deliver()
    (event,) = told(paid)
    assert (event.actor_label, event.details["reason"]) == (OPERATOR.label, "Too much")
    assert {k: event.payload[k] for k in ("amount", "currency", "amount_refunded", "invoice_id")} == {
        "amount": 2_500,
        "currency": "USD",
        "amount_refunded": 2_500,
        "invoice_id": str(paid.uuid),
    }
    assert Refund.objects.count() == 1


def test_two_asked_for_at_once_go_out_together(shop: Shop, paid: Invoice) -> None:
    ask(paid, 1_000)
    ask(paid, 2_000)
    step()
    assert at_stripe(shop) == [1_000, 2_000]


@pytest.mark.parametrize("amount", [0, -1, 10_001])
def test_never_more_than_was_paid(paid: Invoice, amount: int) -> None:
    with pytest.raises(Invalid, match=r"\$100\.00"):
        ask(paid, amount)
    assert not Refund.objects.exists()
    assert Invoice.objects.get(pk=paid.pk).next_action == ""


def test_what_is_under_way_counts(paid: Invoice) -> None:
    ask(paid, 9_000)
    with pytest.raises(Invalid, match=r"\$10\.00"):
        ask(paid, 1_001)


def test_only_what_stripe_collected_can_go_back(shop: Shop) -> None:
    unpaid = issued(shop, shop.customer(), 5_000)
    with pytest.raises(Conflict, match="it is issued"):
        ask(unpaid, 5_000)
    now = timezone.now()
    Invoice.objects.filter(pk=unpaid.pk).update(status="INVOICE_PAID", paid_at=now, amount_paid=5_000)
    unpaid = Invoice.objects.get(pk=unpaid.pk)
    with pytest.raises(Conflict, match="Stripe collected nothing"):
        ask(unpaid, 5_000)
    assert InvoiceVerb.REFUND not in available_actions(unpaid)


@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after", "error_500_after"])
def test_a_lost_answer_is_asked_for_again_and_the_money_goes_back_once(shop: Shop, paid: Invoice, fault: str) -> None:
    row = ask(paid, 2_500)
    shop.fail("/v1/refunds$", fault, method="POST")
    step()
    row.refresh_from_db()
    assert row.state == State.SENDING
    assert at_stripe(shop) == ([2_500] if fault.endswith("after") else [])
    assert Invoice.objects.get(pk=paid.pk).last_error
    shop.mend()
    step(timezone.now() + timedelta(minutes=1))
    row.refresh_from_db()
    assert (row.state, at_stripe(shop)) == (State.SUCCEEDED, [2_500])
    assert Invoice.objects.get(pk=paid.pk).last_error == ""
    assert len(told(paid)) == 1


def test_a_refund_made_before_the_key_was_forgotten_is_found(shop: Shop, paid: Invoice) -> None:
    from payments.sandbox.models import IdempotentAnswer

    row = ask(paid, 2_500)
    shop.fail("/v1/refunds$", "timeout_after", method="POST")
    step()
    shop.mend()
    IdempotentAnswer.objects.all().delete()
    step(timezone.now() + timedelta(minutes=1))
    row.refresh_from_db()
    assert (row.state, at_stripe(shop)) == (State.SUCCEEDED, [2_500])


def test_what_stripe_refuses_is_shown_and_can_be_asked_for_again(shop: Shop, paid: Invoice) -> None:
    row = ask(paid, 8_000)
    shop.stripe.refunds.create({"charge": paid.payments.get().external_id or "", "amount": 5_000})
    step()
    row.refresh_from_db()
    assert row.state == State.FAILED
    assert "smaller parts" in row.error
    assert len(told(paid, "invoice.refund_failed")) == 1
    shop.deliver()
    assert Invoice.objects.get(pk=paid.pk).amount_refundable == 5_000


def test_made_in_stripe(shop: Shop, paid: Invoice) -> None:
    shop.stripe.refunds.create({"charge": paid.payments.get().external_id or "", "amount": 3_000})
    shop.deliver()
    row = Refund.objects.get()
    assert (row.invoice, row.amount, row.state, row.actor_label) == (paid, 3_000, State.SUCCEEDED, "Stripe")
    assert len(told(paid)) == 1
    assert {"refund.created", "charge.refunded"} <= {kind for kind, state in stored() if state == "processed"}


def test_news_of_a_refund_may_come_before_news_of_the_payment(shop: Shop) -> None:
    invoice = issued(shop, shop.customer(), 10_000, advance=Advance.AT_ONCE)
    intent = shop.stripe.payment_intents.list().data[0]
    shop.stripe.refunds.create({"payment_intent": intent.id})
    shop.deliver([event for event in shop.events_sent() if event["type"] == "refund.created"])
    invoice = Invoice.objects.get(pk=invoice.pk)
    assert (invoice.status, invoice.amount_refunded) == ("INVOICE_PAID", 10_000)


def test_a_refund_of_a_payment_that_is_not_ours_is_ignored(shop: Shop) -> None:
    customer = shop.stripe.customers.create({"email": "x@example.com"})
    method = shop.stripe.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    intent = shop.stripe.payment_intents.create(
        {
            "amount": 700,
            "currency": "usd",
            "customer": customer.id,
            "payment_method": method.id,
            "confirm": True,
            "off_session": True,
        }
    )
    shop.stripe.refunds.create({"payment_intent": intent.id})
    shop.deliver([event for event in shop.events_sent() if "refund" in event["type"]])
    assert {state for _, state in stored()} == {"ignored"}
    assert not Refund.objects.exists()


@pytest.mark.parametrize(
    ("card", "at_first", "later"),
    [("pm_card_pendingRefund", State.PENDING, State.SUCCEEDED), ("pm_card_refundFail", State.SUCCEEDED, State.FAILED)],
)
def test_what_becomes_of_it_later_comes_back(
    shop: Shop, card: str, at_first: Refund.State, later: Refund.State
) -> None:
    invoice = paid_with(shop, card)
    row = ask(invoice, 10_000)
    step()
    row.refresh_from_db()
    assert row.state == at_first
    shop.move_clock(hours=2)
    shop.deliver()
    row.refresh_from_db()
    assert row.state == later
    assert bool(row.error) == (later == State.FAILED)
    assert Invoice.objects.get(pk=invoice.pk).amount_refundable == (10_000 if later == State.FAILED else 0)
    assert len(told(invoice)) == 1


def test_two_workers_at_the_same_refund(shop: Shop, paid: Invoice, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first worker is thought dead and its answer comes after the second's."""
    row = ask(paid, 2_500)
    now = timezone.now()
    original: Callable[..., None] = refunds.settle

    def slow(*args: object, **kwargs: object) -> None:
        monkeypatch.setattr(refunds, "settle", original)
        refunds.carry_out(paid, real_now=now)
        original(*args, **kwargs)

    monkeypatch.setattr(refunds, "settle", slow)
    refunds.carry_out(paid, real_now=now)
    row.refresh_from_db()
    assert (row.state, at_stripe(shop), len(told(paid))) == (State.SUCCEEDED, [2_500], 1)
