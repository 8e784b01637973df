"""From a plan's terms and a cycle's usage to lines and totals."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

from invoicing.rating.rate import rate_cycle
from invoicing.rating.terms import ComponentTerms, PlanTerms, Scheme, SchemeTerms, Tier
from invoicing.rating.totals import Totals, totals
from invoicing.usage.values import Usage

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
CALLS = ComponentTerms(
    key=1,
    uuid="b3c1",
    meter_id=10,
    meter_name="api_calls",
    name="API calls",
    unit_name="calls",
    scheme=SchemeTerms(Scheme.FLAT, (Tier(Decimal(7)),)),
)
PLAN = PlanTerms(currency="USD", base_price=9900, base_price_name="Pro plan", components=(CALLS,))


def with_scheme(kind, *tiers, batch_size=1):
    return replace(PLAN, base_price=0, components=(replace(CALLS, scheme=SchemeTerms(kind, tiers, batch_size)),))


def rate(terms, quantity):
    return rate_cycle(terms, {1: Usage(Decimal(quantity))}, START, END)


def test_base_price_and_usage_make_two_lines():
    first, last = datetime(2026, 1, 3, tzinfo=UTC), datetime(2026, 1, 30, tzinfo=UTC)
    base, calls = rate_cycle(PLAN, {1: Usage(Decimal(1234), first, last, 900)}, START, END)
    assert (base.kind, base.name, base.quantity, base.unit_price, base.amount) == (
        "BASE_PRICE", "Pro plan", 1, 9900, 9900
    )  # fmt: skip
    assert (calls.kind, calls.name, calls.quantity, calls.unit_price, calls.amount) == (
        "METERED_COMPONENT", "API calls", 1234, 7, 8638
    )  # fmt: skip
    assert calls.description == "1,234 calls x $0.07"
    assert (calls.start, calls.end) == (START, END)
    assert totals([base.amount, calls.amount], Decimal(0)) == Totals(18538, 0, 18538)


def test_a_line_carries_its_evidence():
    first, last = datetime(2026, 1, 3, tzinfo=UTC), datetime(2026, 1, 30, tzinfo=UTC)
    line = rate_cycle(PLAN, {1: Usage(Decimal("12.50"), first, last, 3)}, START, END)[1]
    assert line.metadata == {
        "metered_component_uuid": "b3c1",
        "meter_name": "api_calls",
        "measured": "12.5",
        "measurements": 3,
        "first_measurement": "2026-01-03T00:00:00+00:00",
        "last_measurement": "2026-01-30T00:00:00+00:00",
        "scheme_type": "FLAT",
        "batch_size": 1,
        "aggregation": "SUM",
        "tiers": [{"quantity": "12.5", "price": "7", "from": "0", "cap": None, "amount": "87.5", "description": ""}],
    }


def test_no_usage_is_still_a_line():
    line = rate_cycle(PLAN, {}, START, END)[1]
    assert (line.quantity, line.amount, line.description) == (0, 0, "0 calls")


def test_usage_below_zero_is_billed_as_none_and_says_what_was_measured():
    line = rate(PLAN, "-3")[1]
    assert (line.quantity, line.amount, line.metadata["measured"]) == (0, 0, "-3")


def test_no_base_price_no_line():
    assert [line.kind for line in rate(replace(PLAN, base_price=0), 1)] == ["METERED_COMPONENT"]


def test_a_prorated_base_price_is_rounded_half_up_and_says_so():
    terms = replace(PLAN, base_price=9901, proration=Fraction(1, 2))
    base = rate(terms, 0)[0]
    assert (base.amount, base.quantity, base.unit_price) == (4951, None, None)
    assert base.description == "50% of $99.01, for a shorter billing cycle"


def test_each_scheme_explains_itself():
    up_to_100, then = Tier(Decimal(50), Decimal(100)), Tier(Decimal(40))
    tiered = rate(with_scheme(Scheme.TIERED, up_to_100, then), 150)[0]
    assert (tiered.amount, tiered.description) == (7000, "100 calls x $0.50 + 50 calls x $0.40")
    assert tiered.unit_price is None
    volume = rate(with_scheme(Scheme.VOLUME, up_to_100, then), 150)[0]
    assert (volume.amount, volume.description, volume.unit_price) == (6000, "150 calls x $0.40", 40)
    steps = rate(with_scheme(Scheme.STAIRSTEP, Tier(Decimal(5000), Decimal(200))), 150)[0]
    assert (steps.amount, steps.description) == (5000, "150 calls: up to 200 calls $50.00")
    batch = rate(with_scheme(Scheme.FLAT, Tier(Decimal(1000)), batch_size=100), 150)[0]
    assert (batch.amount, batch.description, batch.unit_price) == (1500, "150 calls x $10.00 per 100", 10)


def test_fractional_cents_are_rounded_once_for_the_line():
    line = rate(with_scheme(Scheme.FLAT, Tier(Decimal("0.035"))), 100)[0]
    assert (line.amount, line.unit_price, line.description) == (4, Decimal("0.035"), "100 calls x $0.00035")


def test_a_currency_without_decimals():
    line = rate(replace(PLAN, currency="JPY"), 3)[1]
    assert (line.amount, line.description) == (21, "3 calls x ¥7")


def test_tax_is_of_the_subtotal_and_rounds_half_up():
    assert totals([9900, 7], Decimal("5")) == Totals(9907, 495, 10402)
    assert totals([10], Decimal("5")) == Totals(10, 1, 11)
    assert totals([], Decimal("5")) == Totals(0, 0, 0)


def test_tax_that_prices_contain_leaves_the_total_as_it_is():
    """The example of docs/rating.md."""
    nineteen = Decimal("19")
    assert totals([9900, 999], nineteen, inclusive=True) == Totals(10899, 1740, 10899)
    assert totals([10899], nineteen) == Totals(10899, 2071, 12970)
    assert totals([3], Decimal("20"), inclusive=True) == Totals(3, 1, 3)  # half a cent: up
    assert totals([-10899], nineteen, inclusive=True) == Totals(-10899, -1740, -10899)
