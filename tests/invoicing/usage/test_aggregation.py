"""Windows over measurements, for every aggregation, against the same computed plainly."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import groupby

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from invoicing.models import Measurement
from invoicing.usage.aggregation import usage_of
from invoicing.usage.values import NO_USAGE, Usage, Window
from tests.factories import CustomerFactory, MeterFactory, VendorFactory

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2026, 2, 1, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer():
    return CustomerFactory()


def measure(meter, customer, *rows):
    """Each row: days after the start, value, and optionally stream and reset."""
    Measurement.objects.bulk_create(
        Measurement(
            vendor=customer.vendor, meter=meter, customer=customer, time=START + row[0] * DAY, value=row[1],
            stream=row[2] if len(row) > 2 else "", reset_total=len(row) > 3, received_at=START,
        )
        for row in rows
    )  # fmt: skip


def used(meter, customer, start=START, end=END):
    return usage_of([Window("only", customer.pk, meter.pk, start, end)])["only"]


def meter_for(customer, aggregation="SUM", **fields):
    return MeterFactory(vendor=customer.vendor, aggregation=aggregation, **fields)


def gauge_for(customer, aggregation, reporting_method="TOTAL"):
    kind = {"meter_type": "GAUGE", "data_type": "CONTINUOUS", "reporting_method": reporting_method}
    return meter_for(customer, aggregation, **kind)


@pytest.mark.parametrize(
    ("aggregation", "quantity"),
    [
        ("SUM", "9.5"),
        ("COUNT", "3"),
        ("MAX", "6.5"),
        ("MIN", "1"),
        ("AVG", "3.166666666667"),
        ("LATEST", "2"),
    ],
)
def test_each_aggregation(customer, aggregation, quantity):
    meter = meter_for(customer, aggregation)
    measure(meter, customer, (1, 1), (3, Decimal("6.5")), (20, 2))
    assert used(meter, customer) == Usage(Decimal(quantity), START + DAY, START + 20 * DAY, 3)


@pytest.mark.parametrize(
    ("aggregation", "quantity"), [("SUM", 15), ("COUNT", 3), ("MAX", 14), ("MIN", 11), ("AVG", "12.5"), ("LATEST", 14)]
)
def test_streams_are_aggregated_alone_and_then_added(customer, aggregation, quantity):
    meter = meter_for(customer, aggregation)
    measure(meter, customer, (1, 1, "a"), (2, 4, "a"), (1, 10, "b"))
    assert used(meter, customer).quantity == Decimal(quantity)


def test_a_window_takes_its_start_and_leaves_its_end(customer):
    meter = meter_for(customer)
    measure(meter, customer, (-0.001, 100), (0, 1), (31, 1000))
    assert used(meter, customer).quantity == 1
    assert used(meter, customer, END, END + DAY).quantity == 1000


def test_negative_measurements_take_back(customer):
    meter = meter_for(customer)
    measure(meter, customer, (1, 10), (2, -4))
    assert used(meter, customer).quantity == 6


def test_nothing_measured(customer):
    meter = meter_for(customer)
    measure(meter, CustomerFactory(vendor=customer.vendor), (1, 10))
    assert used(meter, customer) == NO_USAGE


def test_a_reset_begins_its_streams_sum_anew(customer):
    meter = meter_for(customer)
    measure(meter, customer, (1, 10, "a"), (2, 100, "a", "reset"), (3, 5, "a"), (1, 7, "b"), (-5, 9, "b", "reset"))
    assert used(meter, customer).quantity == 112


@pytest.mark.parametrize(("aggregation", "quantity"), [("LATEST", 20), ("MAX", 30), ("MIN", 10)])
def test_a_level_persists_into_the_window(customer, aggregation, quantity):
    gauge = gauge_for(customer, aggregation)
    measure(gauge, customer, (-40, 99), (-5, 10), (3, 30), (4, 20))
    assert used(gauge, customer).quantity == quantity


@pytest.mark.parametrize("aggregation", ["LATEST", "MAX", "MIN"])
def test_a_level_that_did_not_change_is_still_there(customer, aggregation):
    gauge = gauge_for(customer, aggregation)
    measure(gauge, customer, (-40, 10, "a"), (-35, 2, "b"))
    assert used(gauge, customer) == Usage(Decimal(12), START - 40 * DAY, START - 35 * DAY, 2)


def test_a_level_that_changes_at_the_start_is_the_new_one(customer):
    gauge = gauge_for(customer, "MAX")
    measure(gauge, customer, (-5, 10), (0, 4))
    assert used(gauge, customer).quantity == 4


def test_an_instant_event_of_before_does_not_persist(customer):
    meter = meter_for(customer, "LATEST")
    measure(meter, customer, (-5, 10))
    assert used(meter, customer) == NO_USAGE


def test_a_level_weighted_by_how_long_it_held(customer):
    """10 GB carried in, 20 GB from the 11th on; 31 days of January."""
    gauge = gauge_for(customer, "TIME_WEIGHTED_SUM")
    measure(gauge, customer, (-5, 10), (10, 20), (20, 0), (25.5, 4, '["b"]'))
    hours = 10 * 24 * 10 + 10 * 24 * 20 + Decimal("5.5") * 24 * 4
    assert used(gauge, customer) == Usage(hours, START - 5 * DAY, START + 25.5 * DAY, 4)
    in_days = Window("days", customer.pk, gauge.pk, START, END, "UTC", unit_seconds=Fraction(86_400), by_stream=True)
    found = usage_of([in_days])["days"]
    assert (found.quantity, found.streams[()].quantity) == (322, 300)
    assert [(day.day.day, day.quantity, day.count) for day in found.days if day.day.day in (1, 11, 21, 26, 27)] == [
        (1, 10, 0), (11, 20, 1), (21, 0, 1), (26, 2, 1), (27, 4, 0),
    ]  # fmt: skip
    assert sum(day.quantity for day in found.days) == found.quantity


def test_what_a_level_is_above_its_watermark(customer):
    gauge = gauge_for(customer, "TIME_WEIGHTED_SUM")
    measure(gauge, customer, (0, 3), (10, 8))
    above = Window("above", customer.pk, gauge.pk, START, END, watermark=Decimal(5))
    assert usage_of([above])["above"].quantity == 21 * 24 * 3


def test_the_average_level_is_by_how_long_it_held(customer):
    gauge = gauge_for(customer, "AVG")
    measure(gauge, customer, (0, 31), (1, 0))
    assert used(gauge, customer).quantity == 1
    day = usage_of([Window("days", customer.pk, gauge.pk, START + DAY / 2, END, "UTC")])["days"].days[0]
    assert day.quantity == 31


@pytest.mark.parametrize(("aggregation", "quantity"), [("LATEST", 4), ("MAX", 12), ("MIN", 4)])
def test_changes_of_a_level_add_up_to_it(customer, aggregation, quantity):
    """Reported as changes since 5 days before: 10, 12, then set to 7, 4."""
    gauge = gauge_for(customer, aggregation, reporting_method="DELTA")
    measure(gauge, customer, (-5, 10), (3, 2), (6, 7, "", "reset"), (9, -3), (40, 100))
    assert used(gauge, customer).quantity == quantity


def test_changes_of_a_level_are_weighted_by_time(customer):
    gauge = gauge_for(customer, "TIME_WEIGHTED_SUM", reporting_method="DELTA")
    measure(gauge, customer, (-9, 1), (-5, 9), (11, 10), (21, -20))
    assert used(gauge, customer).quantity == (11 * 10 + 10 * 20) * 24


def test_many_windows_take_as_many_queries_as_two(customer):
    meters = [meter_for(customer), gauge_for(customer, "LATEST")]
    customers = [CustomerFactory(vendor=customer.vendor) for _ in range(10)]
    for number, somebody in enumerate(customers):
        for meter in meters:
            measure(meter, somebody, (1, number), (2, 100))
    counts = []
    for asked in (customers[:1], customers):
        windows = [Window((c.pk, m.pk), c.pk, m.pk, START, END) for c in asked for m in meters]
        with CaptureQueriesContext(connection) as captured:
            found = usage_of(windows)
        counts.append(len(captured))
    assert counts == [3, 3]
    assert found[customers[4].pk, meters[0].pk].quantity == 104
    assert found[customers[4].pk, meters[1].pk].quantity == 100


def test_no_windows_no_answers():
    assert usage_of([]) == {}


FUNCTIONS = {
    "SUM": sum,
    "COUNT": lambda values: Decimal(len(values)),
    "MAX": max,
    "MIN": min,
    "AVG": lambda values: sum(values) / len(values),
    "LATEST": lambda values: values[-1],
}
measurements = st.lists(
    st.tuples(st.integers(-10, 45), st.decimals(-1000, 1000, places=3), st.sampled_from("ab")),
    unique_by=lambda row: (row[0], row[2]),
    max_size=12,
)


def plainly(aggregation, rows):
    """The same by hand: each stream's values in order of time, then the sum over streams."""
    inside = sorted((stream, day, value) for day, value, stream in rows if 0 <= day < 31)
    streams = [[value for _, _, value in group] for _, group in groupby(inside, key=lambda row: row[0])]
    return sum((FUNCTIONS[aggregation](values) for values in streams), Decimal(0))


class TestAgainstPlainArithmetic(TestCase):
    @settings(max_examples=40, deadline=None)
    @given(st.sampled_from(sorted(FUNCTIONS)), measurements)
    def test_any_measurements_in_any_order(self, aggregation, rows):
        customer = CustomerFactory(vendor=VendorFactory())
        meter = meter_for(customer, aggregation)
        measure(meter, customer, *rows)
        assert abs(used(meter, customer).quantity - plainly(aggregation, rows)) < Decimal("1e-9")

    @settings(max_examples=40, deadline=None)
    @given(measurements, st.randoms(), st.booleans())
    def test_the_order_of_arrival_never_matters(self, rows, random, is_change):
        """Also of a level, whose value depends on the order in time; and its days add up, whatever the zone."""
        customer = CustomerFactory(vendor=VendorFactory())
        shuffled = list(rows)
        random.shuffle(shuffled)
        found = []
        for arrived in (rows, shuffled):
            gauge = gauge_for(customer, "TIME_WEIGHTED_SUM", "DELTA" if is_change else "TOTAL")
            measure(gauge, customer, *arrived)
            window = Window("only", customer.pk, gauge.pk, START, END, "America/New_York")
            found.append(usage_of([window])["only"])
        assert found[0] == found[1]
        assert abs(found[0].quantity - weighted(rows, is_change)) < Decimal("1e-9")
        assert abs(found[0].quantity - sum(day.quantity for day in found[0].days)) < Decimal("1e-9")


def weighted(rows, is_change):
    """The level of each stream hour by hour, by hand."""
    total = Decimal(0)
    for stream in "ab":
        mine = sorted((day, value) for day, value, name in rows if name == stream)
        for day in range(31):
            values = [value for at, value in mine if at <= day]
            total += 24 * (sum(values) if is_change else (values or [Decimal(0)])[-1])
    return total
