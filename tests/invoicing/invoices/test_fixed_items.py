"""Trials, base prices for several cycles, prices above a minimum, and add-ons: docs/rating.md, lived through."""

from __future__ import annotations

from decimal import Decimal

import pytest

from customers.errors import Invalid
from invoicing.catalog.models import TrialUnit
from invoicing.catalog.trials import Trial
from invoicing.models import ProrationCredit
from invoicing.subscriptions.add_ons import AddOnOrder, order_add_ons
from tests.invoicing.invoices.billing import APRIL, FEBRUARY, JANUARY, MARCH, MAY, Shop, component
from tests.world import utc

pytestmark = pytest.mark.django_db

FIXED = {"invoice_fixed_components_at_start": True}
TWO_WEEKS = {"time_length": 14, "time_unit_name": "day"}


def test_a_trial_costs_nothing_and_the_billing_cycles_run_from_its_end():
    shop = Shop()
    calls = shop.meter("calls")
    shop.subscribe(shop.plan(base_price=9_900, trial=TWO_WEEKS, metered_components=[component(calls, 7)]))
    shop.use(calls, 1_000, utc(2026, 1, 10))
    shop.use(calls, 100, utc(2026, 1, 15))
    shop.until(FEBRUARY)
    assert shop.bills() == []
    shop.until(utc(2026, 2, 15))
    assert shop.bills() == [[("Pro", 9_900), ("calls", 700)]]
    [invoice] = shop.invoices()
    assert (invoice.period_start, invoice.period_end) == (utc(2026, 1, 15), utc(2026, 2, 15))


def test_in_advance_the_first_charge_is_at_the_end_of_the_trial():
    shop = Shop(**FIXED)
    shop.subscribe(shop.plan(base_price=9_900, trial=TWO_WEEKS))
    shop.until(utc(2026, 1, 14, 23))
    assert shop.bills() == []
    shop.until(utc(2026, 1, 15))
    assert shop.bills() == [[("Pro", 9_900)]]


def test_a_subscription_has_a_trial_of_its_own_and_ends_in_it_for_nothing():
    shop = Shop(**FIXED)
    plan = shop.plan(base_price=9_900, trial=TWO_WEEKS)
    subscription = shop.subscribe(plan, trial=Trial(1, TrialUnit.MONTH))
    assert subscription.trial_ends_at == FEBRUARY
    shop.end(utc(2026, 1, 20))
    shop.until(MAY)
    assert shop.bills() == []
    assert shop.subscribe(plan, at=MAY, trial=Trial(0)).trial_ends_at is None


@pytest.mark.parametrize(
    ("settings", "bills"),
    [
        ({}, [[], [], [("Fee", 30_000)], []]),
        (FIXED, [[("Fee", 30_000)], [], [], [("Fee", 30_000)], []]),
    ],
)
def test_a_base_price_for_a_quarter_on_a_monthly_plan(settings, bills):
    """The last month bears it, or the first in advance."""
    shop = Shop(**settings)
    shop.subscribe(shop.plan(base_price=30_000, base_price_frequency=3, base_price_description="Fee"))
    shop.until(MAY)
    assert shop.bills() == bills


def test_a_yearly_fee_and_yearly_tiers_on_a_monthly_plan():
    """$300 a year; 50 cents up to 100 calls of the year, 40 up to 200, then 30; 150 in January and 100 in December."""
    shop = Shop()
    calls = shop.meter("calls")
    prices = [{"price": 50, "cap": 100}, {"price": 40, "cap": 200}, {"price": 30}]
    tiers = {"scheme_type": "TIERED", "prices": prices, "frequency": 12}
    fee = {"base_price": 30_000, "base_price_frequency": 12, "base_price_description": "Fee"}
    shop.subscribe(shop.plan(**fee, metered_components=[component(calls, 0, scheme=tiers)]))
    for used, day in ((150, utc(2026, 1, 9)), (100, utc(2026, 12, 9)), (10, utc(2027, 1, 9))):
        shop.use(calls, used, day)
    shop.until(utc(2027, 2, 1))
    quiet = [[("calls", 0)]] * 10
    assert shop.bills() == [
        [("calls", 7_000)], *quiet, [("Fee", 30_000), ("calls", 3_500)], [("calls", 500)]
    ]  # fmt: skip


def test_a_trial_of_a_month_from_the_31st_ends_on_the_last_day_of_february():
    shop = Shop()
    plan = shop.plan(trial={"time_length": 1, "time_unit_name": "month"})
    assert shop.subscribe(plan, at=utc(2026, 1, 31)).trial_ends_at == utc(2026, 2, 28)


def test_a_base_price_for_several_cycles_ends_early():
    """$90 for January to March, 90 days; ended on 10 February: 40 days are $40."""
    for settings, bills in (({}, [[], [("Pro", 4_000)]]), (FIXED, [[("Pro", 9_000)], [], [("Pro: unused time", 0)]])):
        shop = Shop(**settings)
        shop.subscribe(shop.plan(base_price=9_000, base_price_frequency=3))
        shop.until(FEBRUARY)
        shop.end(utc(2026, 2, 10))
        shop.until(MARCH)
        assert shop.bills() == bills
    assert ProrationCredit.objects.get().amount == 5_000


@pytest.mark.parametrize(
    ("percent", "used", "lines"),
    [
        ("25.5", 150, [("calls", 15_000), ("calls: above the minimum charge", 1_275)]),
        (-10, 150, [("calls", 15_000), ("calls: above the minimum charge", -500)]),
        (-10, 100, [("calls", 10_000)]),
        (-10, 40, [("calls", 4_000), ("calls Minimum Charge", 6_000)]),
    ],
)
def test_prices_change_once_the_minimum_is_reached(percent, used, lines):
    """$1 a call, at least $100."""
    shop = Shop()
    calls = shop.meter("calls")
    changed = {"post_minimum_charge_percentage_change": Decimal(percent)}
    parts = [component(calls, 100, minimum_charge=10_000, scheme=changed)]
    shop.subscribe(shop.plan(metered_components=parts))
    shop.use(calls, used, utc(2026, 1, 5))
    shop.until(FEBRUARY)
    assert shop.last() == lines


def test_a_price_above_the_minimum_needs_a_minimum():
    shop = Shop()
    changed = {"post_minimum_charge_percentage_change": 10}
    with pytest.raises(Invalid, match="Only for a component with a minimum_charge"):
        shop.plan(metered_components=[component(shop.meter("calls"), 1, scheme=changed)])


SEATS = {"feature": {"name": "seats", "display_name": "Seats"}, "prices": [{"price": 1_000}], "quantity_enabled": True}
SETUP = {"feature": {"name": "setup"}, "prices": [{"price": 5_000}], "single_use": True}


def with_seats(**settings):
    shop = Shop(**settings)
    plan = shop.plan(base_price=0, add_ons=[SEATS, SETUP])
    subscription = shop.subscribe(plan, add_ons=[AddOnOrder("seats", Decimal(3)), AddOnOrder("setup")])
    shop.until(JANUARY)
    return shop, subscription


def more(subscription, quantity, at, name="seats"):
    order_add_ons(subscription, [AddOnOrder(name, Decimal(quantity))], now=at)


def test_add_ons_are_billed_for_the_time_that_they_were_had_and_single_ones_once():
    """Three seats at $10, and two more from 16 January at 12:00, half of January."""
    shop, subscription = with_seats()
    more(subscription, 2, utc(2026, 1, 16, 12))
    shop.until(FEBRUARY)
    assert shop.bills() == [[("Seats", 4_000), ("setup", 5_000)]]
    [invoice] = shop.invoices()
    assert [line.description for line in invoice.line_items.all()] == [
        "3 x $10.00 for 50% of a billing cycle + 5 x $10.00 for 50% of a billing cycle",
        "1, once",
    ]
    more(subscription, -1, MARCH)
    shop.until(APRIL)
    assert shop.bills()[1:] == [[("Seats", 5_000)], [("Seats", 4_000)]]


def test_add_ons_in_advance_are_made_up_for_or_given_back():
    shop, subscription = with_seats(**FIXED)
    assert shop.bills() == [[("Seats", 3_000), ("setup", 5_000)]]
    more(subscription, 2, utc(2026, 1, 16, 12))
    shop.until(FEBRUARY)
    assert shop.last() == [("Seats", 1_000), ("Seats", 5_000)]
    more(subscription, -5, utc(2026, 2, 15))
    shop.until(MARCH)
    assert shop.last() == [("Pro: unused time", 0)]
    assert ProrationCredit.objects.get().amount == 2_500
    more(subscription, 4, MARCH)
    shop.until(APRIL)
    assert shop.last() == [("Seats", 4_000), ("Seats", 4_000), ("Credit for unused time", -2_500)]


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (AddOnOrder("seats", Decimal(-4)), "There are only 3"),
        (AddOnOrder("setup"), "At most 1"),
        (AddOnOrder("desks"), "has no add-on 'desks'"),
        (AddOnOrder("seats", Decimal(0)), "how many more"),
        (AddOnOrder("seats", effective_at=utc(2025, 12, 31)), "Earlier billing cycles have ended"),
    ],
)
def test_what_cannot_be_ordered(order, why):
    _, subscription = with_seats()
    with pytest.raises(Invalid) as refusal:
        order_add_ons(subscription, [order], now=utc(2026, 1, 5))
    assert why in str(refusal.value.errors)


def test_tiers_and_an_own_price():
    """Ten licences at $8, further ones at $5; or $1 each for this customer."""
    tiers = [{"price": 800, "cap": 10}, {"price": 500}]
    licences = {"feature": {"name": "l"}, "price_scheme_type": "TIERED", "prices": tiers, "quantity_enabled": True}
    for price, amount in ((None, 9_000), (Decimal(100), 1_200)):
        shop = Shop()
        shop.subscribe(shop.plan(add_ons=[licences]), add_ons=[AddOnOrder("l", Decimal(12), price)])
        shop.until(FEBRUARY)
        assert shop.last() == [("l", amount)]
