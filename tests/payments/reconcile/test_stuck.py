"""What stays in a state that ought to end is asked for after ten minutes, an hour and a day."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from invoicing.gateways import Advance, Collection
from invoicing.invoices.ledger import Refund
from invoicing.models import Invoice
from payments.models import StripeEvent, Watch
from payments.reconcile import stuck
from payments.stripe import standing
from tests.payments.stripe.conftest import Shop, issued

pytestmark = pytest.mark.urls("payments.stripe.urls")

MINUTE = timedelta(minutes=1)


def asked(shop: Shop, at: datetime) -> int:
    before = shop.mark()
    stuck.ask(real_now=at)
    return len([path for method, path in shop.calls(before) if path.startswith("/v1/invoices/")])


def test_asked_three_times_and_then_left_to_the_nightly_comparison(shop: Shop) -> None:
    invoice = issued(shop, shop.customer(), 700)
    start = timezone.now()
    assert (stuck.notice(real_now=start), stuck.notice(real_now=start)) == (1, 0)
    times = [9, 10, 11, 59, 60, 61, 24 * 60 - 1, 24 * 60, 24 * 60 + 1, 99 * 60]
    assert [asked(shop, start + n * MINUTE) for n in times] == [0, 1, 0, 0, 1, 0, 0, 1, 0, 0]
    shop.move_clock(hours=2)  # it is paid, and no webhook comes
    assert stuck.notice(real_now=start + timedelta(days=3)) == 0
    assert Watch.objects.get().next_at is None
    assert stuck.forget() == 0
    Watch.objects.update(next_at=start)
    assert asked(shop, start + timedelta(days=3)) == 1
    invoice.refresh_from_db()
    assert invoice.status == "INVOICE_PAID"
    assert stuck.forget() == 1


def test_each_state_is_watched_anew_and_none_that_is_over(shop: Shop) -> None:
    rows = Invoice.objects.filter(pk=issued(shop, shop.customer(), 700).pk)
    start = timezone.now()
    watched = []
    for status in ("INVOICE_ISSUED", "PAYMENT_FAILED", "INVOICE_PAID", "INVOICE_ISSUED", "INVOICE_VOIDED"):
        rows.update(status=status, paid_at=start)
        made = stuck.notice(real_now=start)
        stuck.ask(real_now=start)
        watched.append((made, list(Watch.objects.values_list("state", flat=True))))
    issued_, failed = (1, ["INVOICE_ISSUED"]), (1, ["PAYMENT_FAILED"])
    assert watched == [issued_, failed, (0, []), issued_, (0, [])]


def test_the_vendors_clock_does_not_hurry_it(shop: Shop) -> None:
    issued(shop, shop.customer(), 700)
    start = timezone.now()
    stuck.notice(real_now=start)
    shop.move_clock(days=30)
    assert asked(shop, start + 9 * MINUTE) == 0
    assert asked(shop, start + 10 * MINUTE) == 1


def test_what_was_heard_of_meanwhile_costs_no_call(shop: Shop) -> None:
    invoice = issued(shop, shop.customer(card=""), 700, collection=Collection.SEND_INVOICE, advance=Advance.AT_ONCE)
    start = timezone.now()
    stuck.notice(real_now=start)
    shop.deliver()
    assert asked(shop, start + 10 * MINUTE) == 0
    assert asked(shop, start + 60 * MINUTE) == 1
    StripeEvent.objects.all().delete()
    Invoice.objects.filter(pk=invoice.pk).update(status="INVOICE_UNCOLLECTIBLE")
    assert asked(shop, start + timedelta(days=2)) == 0
    assert not Watch.objects.exists()


def test_a_pending_refund_is_asked_for(shop: Shop) -> None:
    invoice = issued(shop, shop.customer("pm_card_pendingRefund"), 10_000, advance=Advance.AT_ONCE)
    shop.deliver()
    intent = shop.stripe.payment_intents.list().data[0]
    shop.stripe.refunds.create({"payment_intent": intent.id})
    shop.deliver([e for e in shop.events_sent() if e["type"] == "refund.created"])
    assert Refund.objects.get().state == "pending"
    start = timezone.now()
    stuck.notice(real_now=start)
    shop.move_clock(hours=2)
    stuck.ask(real_now=start + 10 * MINUTE)
    assert (Refund.objects.get().state, Refund.objects.get().invoice) == ("succeeded", invoice)


def test_out_of_reach_does_not_count_and_a_lost_account_is_said(shop: Shop) -> None:
    issued(shop, shop.customer(), 700)
    start = timezone.now()
    stuck.notice(real_now=start)
    shop.fail("/v1/invoices/", times=1000)
    stuck.ask(real_now=start + 10 * MINUTE)
    watch = Watch.objects.get()
    assert (watch.asked, "did not answer" in watch.last_error) == (0, True)
    shop.mend()
    assert asked(shop, start + 19 * MINUTE) == 0
    assert asked(shop, start + 20 * MINUTE) == 1
    standing.ended(shop.connection, real_now=start)
    assert asked(shop, start + 60 * MINUTE) == 0
    assert "not connected any more" in Watch.objects.get().last_error
