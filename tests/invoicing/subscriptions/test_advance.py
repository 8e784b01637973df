"""Cycles end one after the other, whole chunks at a time, and wait for the invoice grace period."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from customers.actors import SCHEDULE
from customers.models import BillingSettings, BillingSettingsOverride
from invoicing.models import BillingCycle
from invoicing.subscriptions import verbs
from invoicing.subscriptions.advance import end_due_cycles, reschedule
from invoicing.subscriptions.terms import load_terms, terms_for, usage_windows
from tests.factories import CustomerFactory, MeteredComponentFactory, PricePlanFactory, VendorFactory

pytestmark = pytest.mark.django_db


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


START = utc(2026, 1, 1)


@pytest.fixture
def vendor():
    return VendorFactory()


@pytest.fixture
def plan(vendor):
    return PricePlanFactory(vendor=vendor)


def subscribe(plan, customer=None, start=START, **terms):
    customer = customer or CustomerFactory(vendor=plan.vendor)
    return verbs.subscribe(customer, plan, effective_at=start, actor=SCHEDULE, now=START, real_now=START, **terms)


def end_due(now, limit=100):
    return end_due_cycles(BillingCycle.objects.filter(next_action_at__lte=now), limit=limit, real_now=now)


def rows(subscription):
    return list(subscription.cycles.order_by("index").values_list("index", "start", "end", "next_action", "ended_at"))


def test_nothing_ends_before_its_time(plan):
    subscribe(plan)
    assert end_due(utc(2026, 1, 31, 23, 59, 59)) == 0
    assert end_due(utc(2026, 2, 1)) == 1


def test_an_ended_cycle_waits_for_the_grace_period_and_the_next_one_opens(vendor, plan):
    settings = {"invoice_grace_period_length": 3, "invoice_grace_period_unit": "day", "updated_at": START}
    BillingSettings.objects.create(vendor=vendor, **settings)
    subscription = subscribe(plan)
    end_due(utc(2026, 2, 1))
    assert rows(subscription) == [
        (0, utc(2026, 1, 1), utc(2026, 2, 1), "generate", utc(2026, 2, 1)),
        (1, utc(2026, 2, 1), utc(2026, 3, 1), "end", None),
    ]
    assert [cycle.next_action_at for cycle in subscription.cycles.order_by("index")] == [
        utc(2026, 2, 4), utc(2026, 3, 1)
    ]  # fmt: skip


def test_an_override_has_its_own_grace_period(vendor, plan):
    customer = CustomerFactory(vendor=vendor)
    BillingSettingsOverride.objects.create(
        vendor=vendor, customer=customer, invoice_grace_period_length=6, invoice_grace_period_unit="hour",
        updated_at=START,
    )  # fmt: skip
    overridden, usual = subscribe(plan, customer), subscribe(plan)
    end_due(utc(2026, 2, 1))
    assert overridden.cycles.get(index=0).next_action_at == utc(2026, 2, 1, 6)
    assert usual.cycles.get(index=0).next_action_at == utc(2026, 2, 1)


def test_a_subscription_from_the_past_catches_up_cycle_by_cycle(plan):
    subscription = subscribe(plan)
    now = utc(2026, 4, 10)
    while end_due(now):
        pass
    assert [(index, action) for index, _, _, action, _ in rows(subscription)] == [
        (0, "generate"), (1, "generate"), (2, "generate"), (3, "end")
    ]  # fmt: skip


def test_an_ended_subscription_has_no_further_cycle(plan):
    subscription = subscribe(plan)
    verbs.end_subscription(
        subscription.customer, at_cycle_end=True, actor=SCHEDULE, now=utc(2026, 1, 9), real_now=START
    )
    end_due(utc(2026, 9, 1))
    assert [row[0] for row in rows(subscription)] == [0]


def test_an_end_inside_a_later_cycle_cuts_it(plan):
    subscription = subscribe(plan)
    verbs.end_subscription(
        subscription.customer, expire_at=utc(2026, 2, 15), actor=SCHEDULE, now=utc(2026, 1, 9), real_now=START
    )
    while end_due(utc(2026, 9, 1)):
        pass
    assert [(start, end) for _, start, end, _, _ in rows(subscription)] == [
        (utc(2026, 1, 1), utc(2026, 2, 1)), (utc(2026, 2, 1), utc(2026, 2, 15))
    ]  # fmt: skip


def test_the_limit_takes_the_longest_due_first(plan):
    late, early = subscribe(plan, start=utc(2026, 1, 9)), subscribe(plan, start=utc(2026, 1, 2))
    assert end_due(utc(2026, 2, 28), limit=1) == 1
    assert (early.cycles.count(), late.cycles.count()) == (2, 1)


def test_no_gap_when_the_vendor_moves_to_another_zone(vendor, plan):
    subscription = subscribe(plan)
    vendor.time_zone = "Asia/Tokyo"
    vendor.save()
    end_due(utc(2026, 2, 2))
    first, second = subscription.cycles.order_by("index")
    assert second.start == first.end


def queries_for(count, plan):
    for _ in range(count):
        subscribe(plan)
    with CaptureQueriesContext(connection) as captured:
        assert end_due(utc(2026, 2, 1), limit=1000) == count
    return len(captured)


def test_the_number_of_queries_does_not_grow(plan):
    assert queries_for(2, plan) == queries_for(30, plan)


def test_saved_settings_move_what_is_not_generated_yet(vendor, plan):
    waiting, running = subscribe(plan), subscribe(plan, start=utc(2026, 1, 20))
    other = subscribe(PricePlanFactory())
    end_due(utc(2026, 2, 1))
    assert reschedule(vendor, None) == 0
    BillingSettings.objects.create(vendor=vendor, invoice_grace_period_length=5, updated_at=START)
    assert reschedule(vendor, None) == 1
    assert waiting.cycles.get(index=0).next_action_at == utc(2026, 2, 6)
    assert running.cycles.get().next_action_at == utc(2026, 2, 20)
    assert other.cycles.get(index=0).next_action_at == utc(2026, 2, 1)


def test_one_customers_override_moves_only_that_customer(vendor, plan):
    subject, neighbour = subscribe(plan), subscribe(plan)
    end_due(utc(2026, 2, 1))
    BillingSettings.objects.create(vendor=vendor, invoice_grace_period_length=5, updated_at=START)
    assert reschedule(vendor, subject.customer) == 1
    assert subject.cycles.get(index=0).next_action_at == utc(2026, 2, 6)
    assert neighbour.cycles.get(index=0).next_action_at == utc(2026, 2, 1)


def loaded_cycles():
    return list(BillingCycle.objects.select_related("vendor", "subscription__price_plan").order_by("pk"))


def test_terms_carry_the_plan_and_the_share_of_a_short_cycle(vendor):
    plan = PricePlanFactory(vendor=vendor, display_name="Pro")
    component = MeteredComponentFactory(price_plan=plan, meter__display_name="API calls", meter__unit_name="call")
    subscribe(plan, start=utc(2026, 1, 16), align_to_calendar=True)
    [cycle] = loaded_cycles()
    terms = terms_for([cycle])[cycle.pk]
    assert (terms.currency, terms.base_price, terms.base_price_name) == ("USD", 9900, "Pro")
    assert terms.proration == Fraction(16, 31)
    [found] = terms.components
    assert (found.key, found.meter_id, found.name, found.unit_name) == (
        component.pk, component.meter_id, "API calls", "call"
    )  # fmt: skip
    assert [tier.price for tier in found.scheme.tiers] == [7]
    [window] = usage_windows(cycle, terms)
    assert (window.key, window.start, window.end) == ((cycle.pk, component.pk), utc(2026, 1, 16), utc(2026, 2, 1))


def test_terms_of_many_plans_take_as_many_queries_as_those_of_one(vendor):
    plans = [MeteredComponentFactory(price_plan__vendor=vendor).price_plan for _ in range(5)]
    counts = []
    for some in (plans[:1], plans):
        with CaptureQueriesContext(connection) as captured:
            assert len(load_terms({plan.pk for plan in some})) == len(some)
        counts.append(len(captured))
    assert counts[0] == counts[1]


@pytest.mark.django_db(transaction=True)
def test_a_cycle_that_somebody_else_holds_is_left_to_them(plan):
    subscription = subscribe(plan)
    with ThreadPoolExecutor(1) as elsewhere, transaction.atomic():
        BillingCycle.objects.select_for_update().get(subscription=subscription)
        assert elsewhere.submit(_in_own_connection).result() == 0
    assert end_due(utc(2026, 2, 1)) == 1
    assert subscription.cycles.count() == 2


def _in_own_connection():
    try:
        return end_due(utc(2026, 2, 1))
    finally:
        connection.close()
