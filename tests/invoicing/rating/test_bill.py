"""Minimum charges and discounts: the worked examples of docs/rating.md, and what holds for any plan."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from invoicing.rating.bill import bill_cycle
from invoicing.rating.discounts import DiscountScope, DiscountTerms, DiscountType
from invoicing.rating.terms import ComponentTerms, PlanTerms, Scheme, SchemeTerms, Tier
from invoicing.rating.totals import totals
from invoicing.usage.values import Usage

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)


def component(key, name, unit, price, minimum=0):
    scheme = SchemeTerms(Scheme.FLAT, (Tier(Decimal(price)),))
    return ComponentTerms(key, f"uuid-{key}", key, name.lower(), name, unit, scheme, minimum)


REQUESTS = component(1, "Requests", "requests", 100, 10_000)
THROUGHPUT = component(2, "Throughput", "GB", 100)
PLAN = PlanTerms("USD", 0, "Pro", (REQUESTS, THROUGHPUT), minimum_charge=50_000, label="Pro")
USAGE = {1: Usage(Decimal(50)), 2: Usage(Decimal(100))}


def bill(terms=PLAN, usage=USAGE, **how):
    return [(line.name, line.amount) for line in bill_cycle(terms, usage, START, END, **how)]


def test_the_vendors_worked_example():
    """$1 a request, at least $100; $1 a GB; at least $500 in all; 50 requests and 100 GB."""
    assert bill() == [
        ("Requests", 5_000),
        ("Requests Minimum Charge", 5_000),
        ("Throughput", 10_000),
        ("Pro Minimum Charge", 30_000),
    ]


def test_a_minimum_may_stand_alone():
    [line] = bill_cycle(PLAN, USAGE, START, END, minimum_replaces=True)
    assert (line.kind, line.name, line.amount) == ("MINIMUM_CHARGE", "Pro Minimum Charge", 50_000)
    assert (line.metadata["minimum"], line.metadata["reached"]) == (50_000, 20_000)
    assert line.metadata["replaces"] == [
        {"kind": "METERED_COMPONENT_MINIMUM_CHARGE", "name": "Requests Minimum Charge", "amount": 10_000},
        {"kind": "METERED_COMPONENT", "name": "Throughput", "amount": 10_000},
    ]
    assert bill(replace(PLAN, minimum_charge=0), minimum_replaces=True) == [
        ("Requests Minimum Charge", 10_000),
        ("Throughput", 10_000),
    ]


def test_a_minimum_that_is_reached_says_nothing():
    enough = {1: Usage(Decimal(100)), 2: Usage(Decimal(400))}
    for replaces in (False, True):
        assert bill(usage=enough, minimum_replaces=replaces) == [("Requests", 10_000), ("Throughput", 40_000)]


def test_nothing_used_still_costs_the_minimum():
    lines = bill_cycle(PLAN, {}, START, END)
    assert [line.amount for line in lines] == [0, 10_000, 0, 40_000]
    assert lines[1].description == "Minimum of $100.00"


def test_a_shorter_cycle_bears_its_share_of_the_minimum():
    lines = bill_cycle(replace(PLAN, proration=Fraction(1, 3), minimum_charge=0), {}, START, END)
    assert (lines[1].amount, lines[1].description) == (
        3_333,
        "Minimum of $100.00, $33.33 for a shorter billing cycle",
    )


PERCENT, FLAT = DiscountType.PERCENT, DiscountType.FLAT
TOTAL, COMPONENT, BASE = DiscountScope.INVOICE_TOTAL, DiscountScope.METERED_COMPONENT, DiscountScope.BASE_PRICE


def off(kind, amount, scope=TOTAL, component=""):
    return DiscountTerms(f"{kind}-{amount}", kind, Decimal(amount), scope, component)


def test_discounts_of_a_part_come_first_and_each_takes_from_what_is_left():
    """$99 and 1,000 requests at $1: a fifth off requests, $9 off the base price, then $10 and 10% off the total."""
    plan = replace(PLAN, base_price=9_900, components=(replace(REQUESTS, minimum_charge=0),), minimum_charge=0)
    discounts = (off(FLAT, 1_000), off(PERCENT, 10), off(PERCENT, 20, COMPONENT, "uuid-1"), off(FLAT, 900, BASE))
    lines = bill_cycle(plan, {1: Usage(Decimal(1000))}, START, END, discounts=discounts)
    assert [(line.name, line.description, line.amount) for line in lines[2:]] == [
        ("Requests Discount", "20% of $1,000.00", -20_000),
        ("Base Price Discount", "$9.00 off $99.00", -900),
        ("Invoice Total Discount", "$10.00 off $890.00", -1_000),
        ("Invoice Total Discount", "10% of $880.00", -8_800),
    ]
    assert sum(line.amount for line in lines) == 79_200


def test_two_discounts_of_a_part_follow_each_other():
    halves = (off(PERCENT, 50, COMPONENT, "uuid-2"), off(PERCENT, "50.0", COMPONENT, "uuid-2"))
    lines = bill_cycle(replace(PLAN, components=(THROUGHPUT,), minimum_charge=0), USAGE, START, END, discounts=halves)
    assert [line.amount for line in lines] == [10_000, -5_000, -2_500]


def test_a_discount_takes_no_more_than_there_is():
    plan = replace(PLAN, components=(THROUGHPUT,), minimum_charge=0)
    lines = bill_cycle(plan, USAGE, START, END, discounts=[off(FLAT, 99_999), off(PERCENT, 100), off(FLAT, 5, BASE)])
    assert [line.amount for line in lines] == [10_000, 0, -10_000, 0]


def test_a_components_minimum_is_discounted_and_the_plans_minimum_is_not():
    assert bill(discounts=[off(PERCENT, 50, COMPONENT, "uuid-1")]) == [
        ("Requests", 5_000),
        ("Requests Minimum Charge", 5_000),
        ("Throughput", 10_000),
        ("Requests Discount", -5_000),
        ("Pro Minimum Charge", 35_000),
    ]


minors = st.integers(0, 1_000_000)
quantities = st.decimals(-100, 100_000, places=3)


@st.composite
def plans(draw):
    parts = tuple(
        component(key, f"Meter {key}", "", draw(st.decimals(0, 1_000, places=4)), draw(minors))
        for key in range(draw(st.integers(0, 3)))
    )
    share = Fraction(draw(st.integers(1, 30)), 30)
    return PlanTerms("USD", draw(minors), "Plan", parts, share, draw(minors), "Plan")


discounts = st.builds(
    DiscountTerms,
    uuid=st.just("d"),
    type=st.sampled_from(DiscountType),
    amount=st.integers(1, 100).map(Decimal),
    scope=st.sampled_from([TOTAL, BASE]),
) | st.builds(off, st.sampled_from(DiscountType), st.integers(1, 100), st.just(COMPONENT), st.just("uuid-0"))


@given(plans(), st.lists(quantities, min_size=3, max_size=3), st.lists(discounts, max_size=5), st.booleans())
def test_no_total_is_negative_and_no_discount_is_more_than_it_applies_to(terms, used, discounts, replaces):
    usage = {key: Usage(quantity) for key, quantity in enumerate(used)}
    lines = bill_cycle(terms, usage, START, END, discounts=discounts, minimum_replaces=replaces)
    found = totals([line.amount for line in lines], Decimal("7.7"))
    assert found.sub_total == sum(line.amount for line in lines) >= 0
    assert found.amount_due == found.sub_total + found.tax_amount >= 0
    for line in lines:
        if line.kind == "DISCOUNT":
            assert 0 <= -line.amount <= line.metadata["applies_to"]
        else:
            assert line.amount >= 0


@given(plans(), st.lists(quantities, min_size=3, max_size=3))
def test_the_two_ways_of_a_minimum_cost_the_same_and_never_less(terms, used):
    usage = {key: Usage(quantity) for key, quantity in enumerate(used)}
    beside, instead = (
        sum(line.amount for line in bill_cycle(terms, usage, START, END, minimum_replaces=way)) for way in (False, True)
    )
    assert beside == instead
    assert beside >= terms.minimum_charge * terms.proration - Fraction(1, 2)
