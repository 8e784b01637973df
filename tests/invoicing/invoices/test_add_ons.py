"""Add-ons that are charged when they are added, or whose price is for several billing cycles; half-years."""

from decimal import Decimal

import pytest

from customers.actors import SCHEDULE
from customers.errors import Conflict
from invoicing.invoices.lifecycle import delete
from invoicing.models import AddOnChange, Invoice
from invoicing.rating.discounts import DiscountScope, DiscountType
from invoicing.subscriptions.add_ons import AddOnOrder, order_add_ons
from invoicing.subscriptions.discounts import DiscountDraft
from tests.invoicing.invoices.billing import APRIL, FEBRUARY, JANUARY, MARCH, MAY, Shop
from tests.world import utc

pytestmark = pytest.mark.django_db

FIXED = {"invoice_fixed_components_at_start": True}
HALFWAY = utc(2026, 1, 16, 12)
AT_ONCE = {"immediately_charge": True}
SEATS = {"feature": {"name": "seats", "display_name": "Seats"}, "prices": [{"price": 1_000}], "quantity_enabled": True}
SETUP = {"feature": {"name": "setup"}, "prices": [{"price": 5_000}], "single_use": True}


def shop_with(add_on, quantity=0, *, base_price=0, orders=(), discounts=(), **settings):
    shop = Shop(**settings)
    given = [AddOnOrder(add_on["feature"]["name"], Decimal(quantity))] if quantity else []
    plan = shop.plan(base_price=base_price, add_ons=[add_on])
    subscription = shop.subscribe(plan, add_ons=[*given, *orders], discounts=discounts)
    shop.until(JANUARY)
    return shop, subscription


def more(shop, subscription, quantity, at, name="seats"):
    order_add_ons(subscription, [AddOnOrder(name, Decimal(quantity))], now=at)
    shop.until(at)


def test_what_is_added_is_charged_at_once_and_not_once_more_when_the_cycle_ends():
    shop, subscription = shop_with({**SEATS, **AT_ONCE}, 3, base_price=900)
    assert shop.bills() == [[("Seats", 3_000)]]
    more(shop, subscription, 2, HALFWAY)
    assert shop.last() == [("Seats", 1_000)]
    [line] = shop.invoices()[-1].line_items.all()
    assert line.description == "2 x $10.00 for 50% of a billing cycle"
    shop.until(FEBRUARY)
    assert shop.last() == [("Pro", 900)]
    shop.until(MARCH)
    assert shop.last() == [("Pro", 900), ("Seats", 5_000)]
    assert not AddOnChange.objects.exclude(next_action="").exists()


def test_what_is_charged_once_and_at_once_is_on_no_other_invoice():
    shop, subscription = shop_with({**SETUP, **AT_ONCE}, base_price=900)
    more(shop, subscription, 1, HALFWAY, "setup")
    shop.until(MARCH)
    assert shop.bills() == [[("setup", 5_000)], [("Pro", 900)], [("Pro", 900)]]


def test_in_advance_the_first_are_on_the_opening_invoice_and_later_ones_on_their_own():
    shop, subscription = shop_with({**SEATS, **AT_ONCE}, 3, **FIXED)
    more(shop, subscription, 2, HALFWAY)
    more(shop, subscription, -1, utc(2026, 1, 24, 6))  # a quarter of January is left: $2.50
    shop.until(FEBRUARY)
    assert shop.bills() == [
        [("Seats", 3_000)],
        [("Seats", 1_000)],
        [("Seats", 4_000), ("Pro: unused time", -250)],
    ]


GRACE = {"invoice_grace_period_length": 3, "invoice_grace_period_unit": "day"}


@pytest.mark.parametrize(
    ("settings", "bills"),
    [
        (GRACE, [[("Seats", 1_000)], [], []]),
        # January's invoice is still to come, and bills what February begins with.
        ({**FIXED, **GRACE}, [[("Seats", 1_000)], [("Seats", 1_000)]]),
    ],
)
def test_with_the_start_of_the_next_cycle_it_is_charged_then_and_only_once(settings, bills):
    late = AddOnOrder("seats", Decimal(1), effective_at=FEBRUARY)
    shop, _ = shop_with({**SEATS, **AT_ONCE}, orders=[late], **settings)
    for now in (JANUARY, utc(2026, 1, 31), FEBRUARY, utc(2026, 2, 4), utc(2026, 3, 4)):
        shop.until(now)
    assert shop.bills() == bills


def test_discounts_lower_what_is_charged_at_once_and_a_deleted_invoice_is_made_up_for():
    tenth = DiscountDraft(DiscountType.PERCENT, Decimal(10), DiscountScope.ADD_ON, add_on_name="seats")
    shop, subscription = shop_with({**SEATS, **AT_ONCE}, 3, discounts=[tenth])
    assert shop.bills() == [[("Seats", 3_000), ("Seats Discount", -300)]]
    delete(Invoice.objects.get(), actor=SCHEDULE, now=HALFWAY, real_now=HALFWAY)
    more(shop, subscription, 2, HALFWAY)
    [added] = shop.invoices()
    shop.until(FEBRUARY)
    assert shop.bills() == [
        [("Seats", 1_000), ("Seats Discount", -100)],
        [("Seats", 3_000), ("Seats Discount", -300)],
    ]
    with pytest.raises(Conflict, match="counts on what this one billed"):
        delete(added, actor=SCHEDULE, now=FEBRUARY, real_now=FEBRUARY)


def test_a_trial_is_free_of_it():
    shop = Shop()
    plan = shop.plan(add_ons=[{**SEATS, **AT_ONCE}], trial={"time_length": 14, "time_unit_name": "day"})
    shop.subscribe(plan, add_ons=[AddOnOrder("seats")])
    shop.until(FEBRUARY)
    assert shop.bills() == []
    shop.until(utc(2026, 2, 15))
    assert shop.bills() == [[("Seats", 1_000)]]


THIRDS = {**SEATS, "prices": [{"price": 10_000}], "price_frequency": 3}


@pytest.mark.parametrize(
    ("fields", "settings", "bills"),
    [
        ({"charge_frequency": 1}, {}, [3_333, 3_334, 3_333, 3_333]),
        ({"charge_frequency": 1}, FIXED, [3_333, 3_334, 3_333, 3_333, 3_334]),
        ({"charge_frequency": 3}, {}, [0, 0, 10_000, 0]),
        ({"charge_frequency": 3}, FIXED, [10_000, 0, 0, 10_000, 0]),
    ],
)
def test_a_price_for_several_cycles_is_charged_in_parts_or_all_at_once(fields, settings, bills):
    shop, _ = shop_with({**THIRDS, **fields}, 1, **settings)
    for end in (FEBRUARY, MARCH, APRIL, MAY):
        shop.until(end)
    assert [invoice.sub_total for invoice in shop.invoices()] == bills


def test_for_several_cycles_the_number_counts_by_its_time():
    """One at $90 for January to March, of 90 days, and one more from 10 February on: 50 of the 90 days."""
    quarterly = {**THIRDS, "prices": [{"price": 9_000}], "charge_frequency": 3}
    shop, subscription = shop_with(quarterly, 1, **FIXED)
    more(shop, subscription, 1, utc(2026, 2, 10))
    shop.until(APRIL)
    assert shop.bills() == [[("Seats", 9_000)], [], [], [("Seats", 5_000), ("Seats", 18_000)]]
    [text, _] = [line.description for line in shop.invoices()[-1].line_items.all()]
    assert text == "$140.00 less $90.00 billed in advance"
    shop, subscription = shop_with({**quarterly, **AT_ONCE}, 1)
    more(shop, subscription, 1, utc(2026, 2, 10))
    assert shop.last() == [("Seats", 5_000)]
    shop.end(utc(2026, 3, 2))  # 60 of 90 days, 20 of the second one's 50: $60 and $20, of which $140 is paid
    shop.until(APRIL)
    assert shop.bills()[0] == [("Seats", 9_000)]
    assert shop.bills()[-1] == [("Pro: unused time", 0)]
    assert shop.invoices()[-1].line_items.get().metadata["unused"] == 6_000


def test_half_years_on_the_calendar():
    """From 1 April to 1 July, half of the 181 days but a half day: 91 of 181."""
    shop = Shop()
    shop.subscribe(shop.plan(period="biannual", base_price=18_100), at=APRIL, align_to_calendar=True)
    shop.until(utc(2026, 7, 1))
    shop.until(utc(2027, 1, 1))
    assert shop.bills() == [[("Pro", 9_100)], [("Pro", 18_100)]]
    assert [(one.period_start, one.period_end) for one in shop.invoices()] == [
        (APRIL, utc(2026, 7, 1)),
        (utc(2026, 7, 1), utc(2027, 1, 1)),
    ]
