"""What holds for any usage and any plan: when measurements arrive, and when their cycle is billed, changes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from customers.models import Customer
from invoicing.catalog.models import Aggregation
from invoicing.models import Meter
from invoicing.rating.ahead import Ahead, AheadLine, open_cycle
from invoicing.rating.bill import bill_cycle
from invoicing.rating.discounts import DiscountScope, DiscountTerms, DiscountType
from invoicing.rating.terms import AddOnTerms, ComponentTerms, PlanTerms, Scheme, SchemeTerms, Stretch, Tier
from invoicing.usage.aggregation import usage_of
from invoicing.usage.intake import take_in
from invoicing.usage.values import Usage, Window
from tests.factories import CustomerFactory, MeterFactory, VendorFactory

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
some = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
many = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])

COUNTED = [one for one in Aggregation.values if one != Aggregation.TIME_WEIGHTED_SUM]
LEVELS = [Aggregation.TIME_WEIGHTED_SUM, Aggregation.MAX, Aggregation.LATEST, Aggregation.AVG]

# Hours after the start, each once; a value; and whose it is.
readings = st.lists(
    st.tuples(st.integers(0, 700), st.integers(-50, 1_000), st.sampled_from("ab")),
    min_size=1,
    max_size=8,
    unique_by=lambda one: (one[0], one[2]),
)


class Arrival(TestCase):
    def setUp(self) -> None:
        self.vendor = VendorFactory.create()
        self.customer = CustomerFactory.create(vendor=self.vendor, name="acme")
        self.other = CustomerFactory.create(vendor=self.vendor, name="globex")
        self.meters = [self._meter(f"count-{one}", one) for one in COUNTED]
        self.meters += [self._meter(f"level-{one}", one, data_type="CONTINUOUS") for one in LEVELS]

    def _meter(self, name: str, aggregation: str, **fields: str) -> Meter:
        return MeterFactory.create(
            vendor=self.vendor, name=name, event_name="beat", aggregation=aggregation, primary_labels=["node"], **fields
        )

    def _send(self, *rows: tuple[int, int, str], to: str = "acme") -> None:
        items = [
            {"event_name": "beat", "customer_name": to, "value": value, "labels": {"node": node},
             "time": (START + timedelta(hours=hours)).isoformat()}
            for hours, value, node in rows
        ]  # fmt: skip
        take_in(self.vendor, items, now=END, real_now=END)

    def _used(self, customer: Customer | None = None) -> dict[str, Usage]:
        whose = (customer or self.customer).pk
        windows = [Window(meter.name, whose, meter.pk, START, END, zone="UTC") for meter in self.meters]
        return {str(name): usage for name, usage in usage_of(windows).items()}

    @some
    @given(readings, st.randoms(use_true_random=False), st.booleans())
    def test_the_order_in_which_measurements_arrive_never_matters(self, rows, random, singly) -> None:
        self._send(*rows)
        expected = self._used()
        random.shuffle(rows)
        for batch in [[row] for row in rows] if singly else [rows[: len(rows) // 2], rows[len(rows) // 2 :]]:
            self._send(*batch, to="globex")
        assert self._used(self.other) == expected

    @some
    @given(readings, st.integers(0, 100), st.integers(-50, 1_000))
    def test_an_override_replaces_exactly_one(self, rows, place, value) -> None:
        self._send(*rows)
        before = self._used()
        hours, old, node = rows[place % len(rows)]
        self._send((hours, value, node))
        after = self._used()
        assert after["count-COUNT"].quantity == before["count-COUNT"].quantity == len(rows)
        assert after["count-SUM"].quantity == before["count-SUM"].quantity - old + value


def _component(key: int, price: Decimal, kind: Scheme, minimum: int) -> ComponentTerms:
    tiers = (Tier(price, Decimal(50)), Tier(price / 2)) if kind is Scheme.TIERED else (Tier(price),)
    return ComponentTerms(key, f"uuid-{key}", key, f"m{key}", f"M{key}", "", SchemeTerms(kind, tiers), minimum)


prices = st.decimals(0, 500, places=2)
components = st.lists(
    st.tuples(prices, st.sampled_from([Scheme.FLAT, Scheme.TIERED]), st.integers(0, 5_000)), max_size=3
).map(lambda parts: tuple(_component(key, *part) for key, part in enumerate(parts)))
percents = st.lists(
    st.builds(
        lambda n, scope: DiscountTerms(f"d{n}", DiscountType.PERCENT, Decimal(n), scope),
        st.integers(1, 99),
        st.sampled_from([DiscountScope.INVOICE_TOTAL, DiscountScope.BASE_PRICE]),
    ),
    max_size=2,
    unique_by=lambda one: one.uuid,
)


@many
@given(
    base=st.integers(0, 100_000),
    parts=components,
    seats=st.integers(0, 20),
    share=st.integers(0, 30).map(lambda days: Fraction(days, 30)),
    used=st.lists(st.integers(0, 200), min_size=3, max_size=3),
    discounts=percents,
    minimum=st.integers(0, 200_000),
)
def test_in_advance_and_at_the_end_cost_the_same(base, parts, seats, share, used, discounts, minimum) -> None:
    """For a whole cycle and for one that is cut; a cent for each rounding, of which there are at most eight more."""
    price = SchemeTerms(Scheme.FLAT, (Tier(Decimal(700)),))
    whole = PlanTerms("USD", base, "Plan", parts, minimum_charge=minimum)
    whole = replace(
        whole, add_ons=(AddOnTerms("a", "Seats", price, stretches=(Stretch(Decimal(seats), Fraction(1)),)),)
    )
    cut_add_on = replace(whole.add_ons[0], stretches=(Stretch(Decimal(seats), share),))
    cut = replace(whole, proration=share, base_share=share, add_ons=(cut_add_on,))
    usage = {key: Usage(Decimal(quantity)) for key, quantity in enumerate(used)}

    arrears = bill_cycle(cut, usage, START, END, discounts=discounts)
    opening = open_cycle(whole, {}, START, END, discounts=discounts)
    ahead = Ahead(tuple(AheadLine(line.kind, line.amount, line.metadata) for line in opening), used=share)
    closing = bill_cycle(cut, usage, START, END, discounts=discounts, ahead=ahead)
    given_back = sum(line.metadata.get("unused", 0) for line in closing)

    in_advance = sum(line.amount for line in [*opening, *closing]) - given_back
    assert abs(in_advance - sum(line.amount for line in arrears)) <= 8
    assert sum(line.amount for line in closing) >= 0
    assert 0 <= given_back <= sum(line.amount for line in opening)
