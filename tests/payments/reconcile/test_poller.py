"""Events that never arrived are found by asking, once, and by their own account only."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from invoicing.gateways import Advance
from invoicing.models import Invoice
from payments.models import EventCursor, StripeConnection, StripeEvent
from payments.reconcile import poller
from payments.stripe import connect
from payments.tasks import poll_account, poll_events
from tests.factories import VendorFactory
from tests.payments.stripe.conftest import Shop, issued

pytestmark = pytest.mark.urls("payments.stripe.urls")


def poll(shop: Shop, **later: float) -> list[StripeEvent]:
    """Once everything that happened until now has settled."""
    poller.accounts()
    return poller.poll(shop.connection.pk, real_now=timezone.now() + timedelta(minutes=2, **later))


def read_events(shop: Shop, since: int) -> int:
    return [path for _, path in shop.calls(since)].count("/v1/events")


def cursor() -> EventCursor:
    return EventCursor.objects.get()


def test_what_was_dropped_is_found_and_applied(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    invoice = issued(shop, shop.customer(), 700, advance=Advance.AT_ONCE)
    monkeypatch.setattr(poller, "SETTLED", timedelta(0))
    poll_events()
    invoice.refresh_from_db()
    assert invoice.status == "INVOICE_PAID"
    assert set(StripeEvent.objects.values_list("source", "vendor")) == {("poll", shop.vendor.pk)}
    assert set(StripeEvent.objects.values_list("state", flat=True)) <= {"processed", "ignored"}
    assert StripeEvent.objects.get(type="invoice.paid").state == "processed"
    assert cursor().found_last_at is not None
    shop.connection.refresh_from_db()
    assert shop.connection.last_webhook_at is None
    # The webhook was only late: it changes nothing, and it is not called missed any more.
    [paid] = [e for e in shop.events_sent() if e["type"] == "invoice.paid"]
    shop.deliver([paid])
    assert StripeEvent.objects.get(event_id=paid["id"]).source == "webhook"
    assert shop.kinds().count("invoice.paid") == 1


def test_while_webhooks_arrive_it_costs_one_call_and_finds_nothing(shop: Shop) -> None:
    poll(shop)
    issued(shop, shop.customer(), 700)
    shop.deliver()
    before, stored = shop.mark(), StripeEvent.objects.count()
    assert poll(shop) == []
    assert read_events(shop, before) == 1
    assert StripeEvent.objects.count() == stored
    before = shop.mark()
    assert poll(shop) == []
    assert read_events(shop, before) == 1


def test_many_are_read_page_by_page_at_the_same_cost_and_a_killed_run_goes_on(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payments.stripe.client.PAGE", 3)
    for number in range(9):
        shop.stripe.customers.create({"name": f"Customer {number}"})
    customers = shop.stripe.customers.list({"limit": 9}).data
    for customer in customers:
        shop.stripe.customers.update(customer.id, {"name": "Changed"})

    spent: list[int] = []
    keep = poller._keep

    def counted(*args: Any) -> Any:
        if len(spent) == 3:
            raise KeyboardInterrupt  # the process dies
        with CaptureQueriesContext(database) as queries:
            found = keep(*args)
        spent.append(len(queries))
        return found

    monkeypatch.setattr(poller, "_keep", counted)
    with pytest.raises(KeyboardInterrupt):
        poll(shop)
    assert StripeEvent.objects.count() > 0
    monkeypatch.setattr(poller, "_keep", keep)
    poll(shop)
    events = [e["id"] for e in shop.events_sent() if e["type"] == "customer.updated"]
    assert sorted(StripeEvent.objects.values_list("event_id", flat=True)) == sorted(events)
    assert len(set(spent)) == 1
    assert cursor().newest_id == events[-1]
    # Upwards from there, page by page as well.
    for customer in customers:
        shop.stripe.customers.update(customer.id, {"name": "Changed again"})
    assert len(poll(shop)) == 9


def test_what_may_still_be_on_its_way_is_left_for_the_next_time(shop: Shop) -> None:
    customer = shop.stripe.customers.create({"name": "x"})
    shop.stripe.customers.update(customer.id, {"name": "y"})
    poller.accounts()
    assert poller.poll(shop.connection.pk, real_now=timezone.now()) == []
    assert len(poll(shop)) == 1


def test_an_event_that_stripe_has_forgotten_starts_the_reading_again(shop: Shop) -> None:
    customer = shop.stripe.customers.create({"name": "x"})
    shop.stripe.customers.update(customer.id, {"name": "y"})
    poller.accounts()
    EventCursor.objects.update(newest_id="evt_from_long_ago")
    assert len(poll(shop)) == 1
    assert "older than the thirty days" in cursor().last_error
    assert poll(shop) == []
    assert cursor().last_error == ""


def test_out_of_reach_is_noted_and_another_account_is_left_alone(shop: Shop) -> None:
    other = connect.attach(VendorFactory.create(), "acct_other", livemode=False, real_now=timezone.now())
    customer = shop.stripe.customers.create({"name": "x"})
    shop.stripe.customers.update(customer.id, {"name": "y"})
    assert len(poll(shop)) == 1
    poll_account(other.pk)  # an account that does not let us act
    refused = EventCursor.objects.get(connection=other)
    assert "no longer lets us act" in refused.last_error
    assert refused.claim_token is None
    assert set(StripeEvent.objects.values_list("account_id", flat=True)) == {shop.account}
    StripeConnection.objects.update(disconnected_at=timezone.now(), is_active=False)
    before = shop.mark()
    poll_events()
    assert shop.calls(before) == []
    assert not Invoice.objects.exists()
