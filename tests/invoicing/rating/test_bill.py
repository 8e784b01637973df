"""Minimum charges: the worked examples of docs/rating.md, and what holds for any plan."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from invoicing.rating.bill import bill_cycle
from invoicing.rating.terms import ComponentTerms, PlanTerms, Scheme, SchemeTerms, Tier
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


@given(plans(), st.lists(quantities, min_size=3, max_size=3))
def test_the_two_ways_of_a_minimum_cost_the_same_and_never_less(terms, used):
    usage = {key: Usage(quantity) for key, quantity in enumerate(used)}
    beside, instead = (
        sum(line.amount for line in bill_cycle(terms, usage, START, END, minimum_replaces=way)) for way in (False, True)
    )
    assert beside == instead
    assert beside >= terms.minimum_charge * terms.proration - Fraction(1, 2)
