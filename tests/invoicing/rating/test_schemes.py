"""The worked example of docs/rating.md, and what holds for any tiers."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.rating.rounding import half_up
from invoicing.rating.schemes import amount, steps
from invoicing.rating.terms import Scheme, SchemeTerms, Tier

GRADED = (Tier(Decimal(50), Decimal(100)), Tier(Decimal(40), Decimal(200)), Tier(Decimal(30)))
FLAT = SchemeTerms(Scheme.FLAT, (Tier(Decimal(50)),))
TIERED = SchemeTerms(Scheme.TIERED, GRADED)
VOLUME = SchemeTerms(Scheme.VOLUME, GRADED)
STAIRSTEP = SchemeTerms(
    Scheme.STAIRSTEP,
    (Tier(Decimal(5000), Decimal(100)), Tier(Decimal(9000), Decimal(200)), Tier(Decimal(15000), Decimal(1000))),
)


@pytest.mark.parametrize(
    ("usage", "flat", "tiered", "volume", "stairstep"),
    [
        (100, 5000, 5000, 5000, 5000),
        (101, 5050, 5040, 4040, 9000),
        (150, 7500, 7000, 6000, 9000),
        (250, 12500, 10500, 7500, 15000),
    ],
)
def test_the_worked_example(usage, flat, tiered, volume, stairstep):
    found = [amount(scheme, Decimal(usage)) for scheme in (FLAT, TIERED, VOLUME, STAIRSTEP)]
    assert found == [flat, tiered, volume, stairstep]


@pytest.mark.parametrize("scheme", [FLAT, TIERED, VOLUME, STAIRSTEP])
def test_nothing_used_costs_nothing(scheme):
    assert amount(scheme, Decimal(0)) == 0
    assert amount(scheme, Decimal(-5)) == 0


def test_beyond_the_last_cap_the_last_tier_goes_on():
    capped = (Tier(Decimal(50), Decimal(100)), Tier(Decimal(40), Decimal(200)))
    assert amount(SchemeTerms(Scheme.TIERED, capped), Decimal(300)) == 13_000  # 5000 + 8000
    assert amount(SchemeTerms(Scheme.VOLUME, capped), Decimal(300)) == 12000
    assert amount(STAIRSTEP, Decimal(5000)) == 15000


def test_part_of_a_batch_costs_its_part():
    batches = SchemeTerms(Scheme.FLAT, (Tier(Decimal(1000)),), batch_size=300)
    assert amount(batches, Decimal(450)) == 1500
    assert amount(batches, Decimal(1)) == Fraction(10, 3)


def test_a_price_for_a_batch():
    """1000 cents for 100 units are $10 for 100, of a tier too."""
    tenner, fiver = Tier(Decimal(1000), Decimal(200)), Tier(Decimal(500))
    flat = SchemeTerms(Scheme.FLAT, (Tier(Decimal(1000)),), batch_size=100)
    tiered = SchemeTerms(Scheme.TIERED, (tenner, fiver), batch_size=100)
    found = [(amount(flat, Decimal(used)), amount(tiered, Decimal(used))) for used in (100, 250, 300)]
    assert found == [(1000, 1000), (2500, 2250), (3000, 2500)]


def test_a_cap_is_cumulative_and_belongs_to_its_tier():
    found = {used: [step.quantity for step in steps(TIERED, Decimal(used))] for used in (100, 101, 200, 250)}
    assert found == {100: [100], 101: [100, 1], 200: [100, 100], 250: [100, 100, 50]}


def test_fractions_of_a_cent_are_exact_until_the_line_is_made():
    scheme = SchemeTerms(Scheme.FLAT, (Tier(Decimal("0.35")),))
    assert amount(scheme, Decimal(10)) == Fraction(7, 2)
    assert half_up(amount(scheme, Decimal(10))) == 4


@pytest.mark.parametrize(
    ("minor", "rounded"), [("2.5", 3), ("2.499", 2), ("-2.5", -3), ("-2.4", -2), ("0", 0), ("0.5", 1)]
)
def test_half_a_cent_goes_up(minor, rounded):
    assert half_up(Fraction(minor)) == rounded


prices = st.decimals(0, 10_000, places=4)
quantities = st.decimals(0, 1_000_000, places=3)


@st.composite
def tiers(draw):
    caps = sorted(draw(st.sets(st.decimals(1, 100_000, places=2), max_size=5)))
    return tuple(Tier(draw(prices), cap) for cap in [*caps, None])


@given(tiers(), quantities)
def test_tiered_is_the_sum_over_its_tiers(ladder, quantity):
    expected, floor = Fraction(0), Fraction(0)
    for tier in ladder:
        top = Fraction(quantity) if tier.cap is None else Fraction(tier.cap)
        expected += max(min(Fraction(quantity), top) - floor, 0) * Fraction(tier.price)
        floor = top
    assert amount(SchemeTerms(Scheme.TIERED, ladder), quantity) == expected


@given(st.sampled_from([Scheme.TIERED, Scheme.STAIRSTEP]), tiers(), st.lists(quantities, max_size=5))
def test_cycles_that_climb_together_cost_what_their_usage_costs_at_once(kind, ladder, used):
    """Steps whose prices rise; what was paid is not given back where they do not."""
    if kind is Scheme.STAIRSTEP:
        rising = sorted(tier.price for tier in ladder)
        ladder = tuple(Tier(price, tier.cap) for price, tier in zip(rising, ladder, strict=True))
    scheme, total, before = SchemeTerms(kind, ladder), Fraction(0), Decimal(0)
    for quantity in used:
        found = steps(scheme, quantity, before)
        assert sum(step.quantity for step in found) == quantity
        assert all(step.amount >= 0 for step in found)
        total, before = total + sum(step.amount for step in found), before + quantity
    assert total == amount(scheme, before)


@given(st.sampled_from([Scheme.TIERED, Scheme.VOLUME, Scheme.STAIRSTEP]), tiers(), quantities)
def test_the_explanation_accounts_for_the_whole_quantity(kind, ladder, quantity):
    assert sum(step.quantity for step in steps(SchemeTerms(kind, ladder), quantity)) == quantity
