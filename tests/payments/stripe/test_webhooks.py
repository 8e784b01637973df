"""What stored webhooks change: invoices, and the clock that waits for them."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from customers.claims import hold
from invoicing.gateways import Advance, Collection
from invoicing.models import Invoice, IssueAttempt
from payments.models import StripeEvent
from payments.stripe import processing
from payments.stripe.clock import StripeClock, settle_account
from payments.tasks import process_event
from tests.payments.stripe.conftest import Shop, an_event, issued, order_for, our_invoice, post, stored

pytestmark = pytest.mark.urls("payments.stripe.urls")

NOW = timezone.now


def reason() -> str:
    return StripeEvent.objects.latest("pk").reason


# Invoices


def test_foreign_invoices_and_unused_types_cost_no_call(shop: Shop) -> None:
    before = shop.mark()
    post(an_event(shop.account))
    assert reason() == "The invoice was not made here."
    post(
        an_event(
            shop.account, "invoice.paid", data={"object": {"id": "in_1", "metadata": {"portal_invoice": "no uuid"}}}
        )
    )
    post(an_event(shop.account, "product.created"))
    assert reason() == "Events of this type are not used."
    assert [state for _, state in stored()] == ["ignored"] * 3
    assert shop.calls(before) == []


def test_a_payment_in_stripe_pays_our_invoice(shop: Shop) -> None:
    invoice = issued(shop, shop.customer(), 9900, 8638)
    shop.deliver()
    assert Invoice.objects.get().status == "INVOICE_ISSUED"
    shop.move_clock(hours=2)
    shop.deliver()
    invoice.refresh_from_db()
    assert (invoice.status, invoice.amount_paid) == ("INVOICE_PAID", 18538)
    [payment] = invoice.payments.all()
    assert (payment.method, payment.amount) == ("Visa ending in 4242", 18538)
    assert shop.kinds().count("invoice.paid") == 1
    assert {state for _, state in stored()} <= {"processed", "ignored"}


@pytest.mark.parametrize("seed", range(2))
def test_doubled_and_shuffled_events_say_the_same(shop: Shop, seed: int) -> None:
    invoice = issued(shop, shop.customer(), 700)
    shop.move_clock(hours=2)
    events = shop.events_sent() * 2
    random.Random(seed).shuffle(events)  # noqa: S311
    shop.deliver(events)
    invoice.refresh_from_db()
    assert invoice.status == "INVOICE_PAID"
    assert invoice.payments.count() == 1
    assert shop.kinds().count("invoice.paid") == 1


def test_a_failed_payment_is_told_with_its_reason(shop: Shop) -> None:
    invoice = issued(shop, shop.customer("pm_card_chargeCustomerFail"), 700)
    shop.move_clock(hours=2)
    shop.deliver()
    invoice.refresh_from_db()
    assert invoice.status == "PAYMENT_FAILED"
    assert invoice.payment_error
    [payment] = invoice.payments.all()
    assert payment.state == "failed"


def test_voided_in_stripe(shop: Shop) -> None:
    terms: dict[str, Any] = {"advance": Advance.AT_ONCE, "collection": Collection.SEND_INVOICE}
    invoice = issued(shop, shop.customer(card=""), 700, **terms)
    shop.stripe.invoices.void_invoice(invoice.external_invoice_id)
    shop.deliver()
    invoice.refresh_from_db()
    assert invoice.status == "INVOICE_VOIDED"


def test_a_draft_deleted_in_stripe_voids_ours(shop: Shop) -> None:
    invoice = issued(shop, shop.customer(), 700, advance=Advance.DRAFT)
    shop.stripe.invoices.delete(invoice.external_invoice_id)
    shop.deliver()
    invoice.refresh_from_db()
    assert invoice.status == "INVOICE_VOIDED"


def test_the_draft_of_a_failed_issue_changes_nothing(shop: Shop) -> None:
    customer = shop.customer()
    order = order_for(customer, 500, total=501)
    invoice = our_invoice(customer, order, status="INVOICE_GENERATED")
    with pytest.raises(Exception, match="total"):
        shop.issue(order)
    shop.deliver()
    invoice.refresh_from_db()
    assert invoice.status == "INVOICE_GENERATED"
    assert {state for kind, state in stored() if kind.startswith("invoice.")} == {"ignored"}


def being_issued(shop: Shop) -> tuple[Invoice, str]:
    """Paid at Stripe at once, but the process died before our side was written."""
    customer = shop.customer()
    order = order_for(customer, 500, advance=Advance.AT_ONCE)
    invoice = our_invoice(customer, order, status="INVOICE_GENERATED")
    IssueAttempt.objects.create(
        invoice=invoice, number=1, channel="gateway", idempotency_key="k", started_at=NOW(), real_started_at=NOW()
    )
    return invoice, shop.issue(order, "k").external_id


def test_an_event_faster_than_our_own_record_waits(shop: Shop) -> None:
    invoice, external = being_issued(shop)
    events = [e for e in shop.events_sent() if e["type"].startswith("invoice.")]
    shop.deliver(events)
    assert {state for _, state in stored()} == {"pending"}
    assert "being issued" in reason()
    IssueAttempt.objects.update(state="succeeded")
    Invoice.objects.update(status="INVOICE_ISSUED", gateway="stripe", external_invoice_id=external)
    assert settle_account(shop.sandbox.account, False, NOW())
    assert {state for _, state in stored()} == {"processed"}
    invoice.refresh_from_db()
    assert invoice.status == "INVOICE_PAID"


def test_waiting_ends_after_a_day(shop: Shop) -> None:
    being_issued(shop)
    shop.deliver([e for e in shop.events_sent() if e["type"] == "invoice.paid"])
    event = StripeEvent.objects.get()
    processing.process(event.pk, real_now=NOW() + timedelta(hours=25))
    event.refresh_from_db()
    assert event.state == "failed"
    assert "being issued" in event.reason


def test_a_burst_is_answered_by_one_look(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    invoice = issued(shop, shop.customer(), 700)
    shop.move_clock(hours=2)
    monkeypatch.setattr(process_event, "delay", lambda pk: None)
    events = [e for e in shop.events_sent() if e["type"].startswith("invoice.")]
    shop.deliver(events)
    assert len(events) > 3
    before = shop.mark()
    process_event(StripeEvent.objects.latest("pk").pk)
    assert [path for _, path in shop.calls(before)] == [f"/v1/invoices/{invoice.external_invoice_id}", "/v1/charges"]
    assert {state for _, state in stored()} == {"processed"}


def test_while_one_worker_is_at_an_object_others_leave_it_alone(shop: Shop) -> None:
    post(an_event(shop.account, "customer.updated"))
    StripeEvent.objects.update(state="pending", claim_token=uuid4(), claimed_until=NOW() + timedelta(minutes=1))
    other = an_event(shop.account, "customer.updated")
    post(other)
    assert [state for _, state in stored()] == ["pending", "pending"]
    StripeEvent.objects.update(claimed_until=NOW() - timedelta(seconds=1))
    process_event(StripeEvent.objects.latest("pk").pk)
    assert [state for _, state in stored()] == ["ignored", "ignored"]


def test_a_failure_is_kept_and_tried_again_and_at_last_shown(shop: Shop) -> None:
    invoice = issued(shop, shop.customer(), 700)
    shop.move_clock(hours=2)
    shop.fail("/v1/invoices/", times=1000)
    [paid] = [e for e in shop.events_sent() if e["type"] == "invoice.paid"]
    shop.deliver([paid])
    event = StripeEvent.objects.get()
    assert (event.state, event.attempts) == ("pending", 1)
    assert "Stripe did not answer" in event.reason
    assert event.claimed_until is not None
    assert event.claimed_until > NOW()
    for _ in range(processing.MOST_ATTEMPTS):
        hold(StripeEvent, event.pk, until=NOW())
        process_event(event.pk)
    event.refresh_from_db()
    assert (event.state, event.attempts) == ("pending", processing.MOST_ATTEMPTS + 1), "no answer of Stripe's for a day"
    StripeEvent.objects.update(received_at=NOW() - processing.LONGEST_WAIT - timedelta(minutes=1))
    process_event(event.pk)
    event.refresh_from_db()
    assert (event.state, event.attempts) == ("failed", processing.MOST_ATTEMPTS + 2)
    assert "Stripe did not answer" in event.reason
    shop.mend()
    processing.replay(StripeEvent.objects.filter(pk=event.pk))
    process_event(event.pk)
    event.refresh_from_db()
    invoice.refresh_from_db()
    assert (event.state, invoice.status) == ("processed", "INVOICE_PAID")


def test_a_bug_is_kept_like_any_failure(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    issued(shop, shop.customer(), 700)

    def broken(*args: object, **kwargs: object) -> str:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("payments.stripe.invoice_news.settle", broken)
    shop.deliver([e for e in shop.events_sent() if e["type"] == "invoice.created"])
    event = StripeEvent.objects.get()
    assert (event.state, event.attempts, event.reason) == ("pending", 1, "ZeroDivisionError: oops")
    for _ in range(processing.MOST_ATTEMPTS):
        hold(StripeEvent, event.pk, until=NOW())
        process_event(event.pk)
    event.refresh_from_db()
    assert (event.state, event.attempts) == ("failed", processing.MOST_ATTEMPTS), "nobody mends that but a person"


def test_a_failure_after_the_wait_for_its_invoice_is_not_hurried_by_a_moving_clock(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock asks again and again for events that wait for an invoice. One that then failed waits for its pause."""
    invoice = issued(shop, shop.customer(), 700)
    shop.move_clock(hours=2)
    [paid] = [e for e in shop.events_sent() if e["type"] == "invoice.paid"]
    shop.deliver([paid])
    StripeEvent.objects.update(state="pending", awaits_invoice=True, processed_at=None)
    shop.fail("/v1/invoices/", times=1000)
    settled = [settle_account(shop.account, False, NOW()) for _ in range(processing.MOST_ATTEMPTS)]
    event = StripeEvent.objects.get()
    assert (event.state, event.attempts, event.awaits_invoice) == ("pending", 1, False)
    assert settled == [False] * processing.MOST_ATTEMPTS, "nothing that the clock has to wait for"
    shop.mend()
    hold(StripeEvent, event.pk, until=NOW())
    process_event(event.pk)
    invoice.refresh_from_db()
    assert invoice.status == "INVOICE_PAID"
    assert {state for _, state in stored()} == {"processed"}


# The clock


def test_the_clock_waits_for_stored_webhooks(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, now = StripeClock(), NOW()
    assert clock.settle(shop.vendor, now=now, real_now=now) is False
    monkeypatch.setattr(process_event, "delay", lambda pk: None)
    post(an_event(shop.account))
    assert clock.settle(shop.vendor, now=now, real_now=NOW()) is True
    assert stored() == [("invoice.paid", "ignored")]
    assert clock.settle(shop.vendor, now=now, real_now=NOW()) is False
    assert clock.next_due(shop.vendor, after=now) is None


def test_the_clock_waits_for_a_worker_but_not_for_a_failure(shop: Shop) -> None:
    clock = StripeClock()
    post(an_event(shop.account))
    claimed: dict[str, Any] = {"state": "pending", "attempts": 1, "claimed_until": NOW() + timedelta(minutes=1)}
    StripeEvent.objects.update(claim_token=uuid4(), **claimed)
    assert clock.settle(shop.vendor, now=NOW(), real_now=NOW()) is True
    StripeEvent.objects.update(claim_token=None)
    assert clock.settle(shop.vendor, now=NOW(), real_now=NOW()) is False
