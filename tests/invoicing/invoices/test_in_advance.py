"""Fixed items and gauges billed at the start of their cycle, the true-up after it, and what is given back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.errors import Conflict
from invoicing.invoices import lifecycle
from invoicing.models import BillingCycle, Invoice, ProrationCredit
from invoicing.rating.discounts import DiscountScope, DiscountType
from invoicing.subscriptions.discounts import DiscountDraft
from invoicing.subscriptions.verbs import When
from tests.factories import CustomerFactory
from tests.invoicing.invoices.billing import APRIL, FEBRUARY, JANUARY, MARCH, MAY, Shop, component
from tests.world import OPERATOR, utc

pytestmark = pytest.mark.django_db

FIXED = {"invoice_fixed_components_at_start": True}
LEVELS = {**FIXED, "invoice_metered_components_at_start": True}
BY = {"actor": OPERATOR, "now": MAY, "real_now": MAY}


def test_fixed_items_are_billed_when_their_cycle_begins_and_usage_when_it_has_ended():
    shop = Shop(**FIXED)
    calls = shop.meter("calls", unit_name="call")
    shop.subscribe(shop.plan(base_price=9_900, metered_components=[component(calls, 7)]))
    shop.until(JANUARY)
    assert shop.bills() == [[("Pro", 9_900)]]
    [first] = shop.invoices()
    assert (first.cycle, first.period_start, first.period_end) == (None, JANUARY, FEBRUARY)
    shop.use(calls, 100, utc(2026, 1, 20))
    shop.until(FEBRUARY)
    assert shop.bills()[1:] == [[("calls", 700), ("Pro", 9_900)]]
    second = shop.invoices()[1]
    assert (second.period_start, second.max_item_end_time) == (JANUARY, MARCH)
    assert [(line.in_advance, line.start_time) for line in second.line_items.all()] == [
        (False, JANUARY), (True, FEBRUARY)
    ]  # fmt: skip
    shop.end(utc(2026, 2, 10), at_cycle_end=True)
    shop.until(MAY)
    assert shop.bills()[2:] == [[("calls", 0)]]


def test_a_subscription_from_the_past_has_all_its_missed_invoices():
    shop = Shop(**FIXED)
    calls = shop.meter("calls")
    shop.use(calls, 10, utc(2026, 2, 3))
    shop.subscribe(shop.plan(metered_components=[component(calls, 7)], base_price=9_900), now=utc(2026, 3, 15))
    shop.until(utc(2026, 3, 15))
    assert shop.bills() == [
        [("Pro", 9_900)],
        [("calls", 0), ("Pro", 9_900)],
        [("calls", 70), ("Pro", 9_900)],
    ]


def test_what_is_turned_on_and_off_midway_bills_every_cycle_once():
    shop = Shop()
    shop.subscribe(shop.plan(base_price=9_900))
    shop.until(utc(2026, 1, 20))
    shop.settings(**FIXED)
    shop.until(FEBRUARY)
    assert shop.last() == [("Pro", 9_900), ("Pro", 9_900)]
    shop.settings(invoice_fixed_components_at_start=False)
    shop.until(MARCH)
    assert shop.last() == []
    shop.until(APRIL)
    assert shop.last() == [("Pro", 9_900)]
    assert [invoice.sub_total for invoice in shop.invoices()] == [19_800, 0, 9_900]


def test_an_early_end_gives_back_what_was_not_used():
    """$93 for 31 days of January, ended after 10: $63 are given back, as far as the invoice goes."""
    shop = Shop(**FIXED)
    calls = shop.meter("calls")
    shop.subscribe(shop.plan(base_price=9_300, metered_components=[component(calls, 100)]))
    shop.until(JANUARY)
    shop.use(calls, 20, utc(2026, 1, 5))
    shop.end(utc(2026, 1, 11))
    shop.until(FEBRUARY)
    assert shop.last() == [("calls", 2_000), ("Pro: unused time", -2_000)]
    credit = ProrationCredit.objects.get()
    assert credit.amount == 6_300
    line = credit.line_items.get()
    assert line.description == "$63.00 billed in advance and not used; $43.00 is left for the next invoice"
    shop.subscribe(shop.plan("basic", base_price=3_000), at=MARCH)
    shop.until(APRIL)
    assert shop.bills()[2:] == [
        [("Basic", 3_000)],
        [("Basic", 3_000), ("Credit for unused time", -3_000)],
    ]
    shop.until(MAY)
    assert shop.last() == [("Basic", 3_000), ("Credit for unused time", -1_300)]


def test_a_change_of_plan_in_mid_cycle_is_invoiced_at_once():
    """10 of January's 31 days used of $93; a new plan of $310 from the 11th, whole in advance."""
    shop = Shop(**FIXED, invoice_grace_period_length=5)
    shop.subscribe(shop.plan(base_price=9_300))
    shop.until(JANUARY)
    shop.change(shop.plan("scale", base_price=31_000), utc(2026, 1, 11))
    shop.until(utc(2026, 1, 11))
    assert shop.last() == [("Scale", 31_000), ("Pro: unused time", -6_300)]
    shop.until(utc(2026, 2, 10))
    assert len(shop.bills()) == 2
    shop.until(utc(2026, 2, 16))
    assert shop.last() == [("Scale", 31_000)]


def test_a_change_in_mid_cycle_to_a_calendar_aligned_plan_bears_its_share_in_advance():
    """21 of January's 31 days of $310, and 21 of 31 days of $93 given back."""
    shop = Shop(**FIXED)
    shop.subscribe(shop.plan(base_price=9_300), align_to_calendar=True)
    shop.until(JANUARY)
    shop.change(shop.plan("scale", base_price=31_000), utc(2026, 1, 11), align_to_calendar=True)
    shop.until(utc(2026, 1, 11))
    assert shop.last() == [("Scale", 21_000), ("Pro: unused time", -6_300)]
    shop.until(FEBRUARY)
    assert shop.last() == [("Scale", 31_000)]


def test_a_change_at_the_end_of_a_cycle_is_on_its_normal_invoice():
    shop = Shop(**FIXED, invoice_grace_period_length=2)
    shop.subscribe(shop.plan(base_price=9_300))
    shop.until(JANUARY)
    shop.change(shop.plan("scale", base_price=31_000), utc(2026, 1, 11), when=When.CYCLE_END)
    shop.until(utc(2026, 2, 2))
    assert len(shop.bills()) == 1
    shop.until(utc(2026, 2, 3))
    assert shop.last() == [("Scale", 31_000)]


def test_a_change_back_to_the_start_of_the_cycle_gives_all_of_it_back():
    shop = Shop(**FIXED)
    shop.subscribe(shop.plan(base_price=9_300))
    shop.until(FEBRUARY)
    shop.change(shop.plan("scale", base_price=31_000), utc(2026, 2, 9), when=When.CYCLE_START)
    shop.until(utc(2026, 2, 9))
    assert shop.last() == [("Scale", 31_000), ("Pro: unused time", -9_300)]


def test_in_arrears_a_change_in_mid_cycle_is_invoiced_at_once_too():
    shop = Shop(invoice_grace_period_length=5)
    shop.subscribe(shop.plan(base_price=9_300))
    shop.change(shop.plan("scale", base_price=31_000), utc(2026, 1, 11))
    shop.until(utc(2026, 1, 11))
    assert shop.bills() == [[("Pro", 3_000)]]


STORED: dict[str, Any] = {"scheme": {"time_unit_name": "month"}}


@pytest.mark.parametrize(
    ("overages", "after_january"),
    [(False, [("storage", 30_000)]), (True, [("storage (true-up)", 5_000), ("storage", 30_000)])],
)
def test_gauges_in_advance_at_their_level_at_the_start(overages, after_january):
    """$10 a GB and month: 20 GB on 1 January, 30 GB from halfway through."""
    shop = Shop(**LEVELS, invoice_overages=overages)
    storage = shop.gauge()
    shop.use(storage, 20, utc(2025, 12, 30))
    shop.subscribe(shop.plan(metered_components=[component(storage, 1_000, **STORED)]))
    shop.until(JANUARY)
    assert shop.bills() == [[("storage", 20_000)]]
    shop.use(storage, 30, utc(2026, 1, 16, 12))
    shop.until(FEBRUARY)
    assert shop.last() == after_january
    shop.use(storage, 0, utc(2026, 2, 2))
    shop.until(MARCH)
    assert shop.last() == []


def test_a_gauge_is_given_back_for_the_time_that_a_shorter_cycle_did_not_have():
    """20 GB at $10 a month, $310 of seats; ended after 10 of 31 days, with 40 GB from the start."""
    shop = Shop(**LEVELS, invoice_overages=True)
    storage, seats = shop.gauge(), shop.gauge("seats", aggregation="MAX")
    shop.use(storage, 31, JANUARY)
    shop.use(seats, 5, JANUARY)
    plan = shop.plan(metered_components=[component(storage, 1_000, **STORED), component(seats, 100)])
    shop.subscribe(plan)
    shop.until(JANUARY)
    assert shop.last() == [("storage", 31_000), ("seats", 500)]
    shop.use(seats, 7, utc(2026, 1, 4))
    shop.end(utc(2026, 1, 11))
    shop.until(FEBRUARY)
    assert shop.last() == [("seats (true-up)", 200), ("Pro: unused time", -200)]
    assert ProrationCredit.objects.get().amount == 21_000


def test_minimums_and_discounts_count_both_invoices():
    """$99 in advance, less 10%; 100 calls at $1; at least $300; $20 off the total, once."""
    shop = Shop(**FIXED)
    calls = shop.meter("calls")
    tenth = DiscountDraft(DiscountType.PERCENT, Decimal(10), DiscountScope.BASE_PRICE)
    twenty = DiscountDraft(DiscountType.FLAT, Decimal(12_000), DiscountScope.INVOICE_TOTAL, duration=1)
    plan = shop.plan(base_price=9_900, minimum_charge=30_000, metered_components=[component(calls, 100)])
    shop.subscribe(plan, discounts=[tenth, twenty])
    shop.use(calls, 100, utc(2026, 1, 9))
    shop.until(FEBRUARY)
    assert shop.bills() == [
        [("Pro", 9_900), ("Base Price Discount", -990), ("Invoice Total Discount", -8_910)],
        [
            ("calls", 10_000),
            ("Invoice Total Discount", -3_090),
            ("Pro Minimum Charge", 23_090),
            ("Pro", 9_900),
            ("Base Price Discount", -990),
        ],
    ]


def test_a_deleted_opening_is_billed_at_the_cycles_end_and_one_that_is_counted_on_stays():
    shop = Shop(**FIXED)
    shop.subscribe(shop.plan(base_price=9_900))
    shop.until(JANUARY)
    [opening] = shop.invoices()
    lifecycle.delete(opening, **BY)
    shop.until(FEBRUARY)
    assert shop.bills() == [[("Pro", 9_900), ("Pro", 9_900)]]
    shop.until(MARCH)
    with pytest.raises(Conflict, match="delete it first"):
        lifecycle.delete(Invoice.objects.get(cycle__start=JANUARY), **BY)


def test_the_number_of_queries_does_not_grow():
    def count(customers: int) -> int:
        shop = Shop(**LEVELS, invoice_overages=True)
        storage = shop.gauge()
        plan = shop.plan(base_price=9_900, metered_components=[component(storage, 10, **STORED)])
        for _ in range(customers):
            shop.customer = CustomerFactory.create(vendor=shop.vendor)
            shop.subscribe(plan)
        shop.until(JANUARY)
        with CaptureQueriesContext(connection) as captured:
            shop.until(FEBRUARY)
        assert BillingCycle.objects.of(shop.vendor).filter(opened=True).count() == 2 * customers
        return len(captured)

    assert count(2) == count(9)
