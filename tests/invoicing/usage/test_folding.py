"""What a day's measurements come to is kept; whoever asks gets the same answer as from the measurements themselves."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Thread

import pytest
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from invoicing.models import Measurement, StaleUsage, UsageDay
from invoicing.usage.aggregation import usage_of
from invoicing.usage.folding import fold_usage
from invoicing.usage.intake import take_in
from invoicing.usage.values import Window
from tests.factories import CustomerFactory, MeterFactory, VendorFactory

FROM = datetime(2026, 3, 5, tzinfo=UTC)  # the clocks of New York change on the 8th
MINUTES = 8 * 24 * 60
EVENTS = ["SUM", "COUNT", "MAX", "MIN", "AVG", "LATEST"]
LEVELS = ["TIME_WEIGHTED_SUM", "MAX", "MIN", "LATEST", "AVG"]
KINDS = [
    *(("DISCRETE", "DELTA", aggregation) for aggregation in EVENTS),
    *(("CONTINUOUS", method, aggregation) for method in ("TOTAL", "DELTA") for aggregation in LEVELS),
]

# Few moments, so that many collide, and some near midnight in one of the zones.
moments = st.one_of(
    st.integers(0, MINUTES),
    st.builds(lambda day, minute: day * 1440 + minute, st.integers(0, 7), st.integers(295, 305)),
)
resets = st.sampled_from([False, False, True])
rows = st.tuples(moments, st.integers(-50, 50), st.sampled_from("ab"), st.sampled_from([None, "1", "2"]), resets)
batches = st.lists(rows, min_size=1, max_size=10)


def at(minute):
    return FROM + timedelta(minutes=minute)


def send(vendor, batch):
    items = [
        {
            "event_name": "used", "customer_name": "acme", "time": at(minute).isoformat(), "value": value,
            "labels": {"region": region}, "id": given_id, "reset_total": reset,
        }
        for minute, value, region, given_id, reset in batch
    ]  # fmt: skip
    take_in(vendor, items, now=FROM, real_now=FROM)


def meters_of_every_kind(vendor):
    return [
        MeterFactory(
            vendor=vendor, event_name="used", primary_labels=["region"], data_type=data_type, reporting_method=method,
            meter_type="GAUGE" if data_type == "CONTINUOUS" else "COUNTER", aggregation=aggregation,
        )
        for data_type, method, aggregation in KINDS
    ]  # fmt: skip


def windows_on(meters, customer, edges, zone):
    """Every meter between each two edges: in all, by stream, by the day, and above a watermark."""
    start, *_ = edges
    for meter in meters:
        for end in edges[1:]:
            where = (customer.pk, meter.pk, at(start), at(end))
            yield Window((meter.pk, end, "all"), *where)
            yield Window((meter.pk, end, "days"), *where, zone, by_stream=True)
            yield Window((meter.pk, end, "elsewhere"), *where, "Asia/Kolkata")
            if meter.aggregation == "TIME_WEIGHTED_SUM":
                yield Window((meter.pk, end, "above"), *where, zone, watermark=Decimal(7))


def from_measurements(windows):
    """With every day that was ever folded marked as stale."""
    with transaction.atomic():
        for day in UsageDay.objects.values("meter_id", "customer_id", "first", "last"):
            StaleUsage.objects.create(**day)
        answers = usage_of(windows)
        transaction.set_rollback(True)
    return answers


class TestFolded(TestCase):
    @settings(max_examples=25, deadline=None)
    @given(
        st.lists(batches, min_size=1, max_size=3),
        st.lists(
            st.one_of(st.integers(0, MINUTES), st.sampled_from([0, 300, 1740, 4320, 4620, 10080])),
            min_size=2,
            max_size=3,
        ),
        st.sampled_from(["UTC", "America/New_York"]),
    )
    def test_folded_usage_is_what_the_measurements_come_to(self, sent, edges, zone):
        """For every aggregation: late measurements, overrides, resets and streams; edges anywhere in a day."""
        customer = CustomerFactory(vendor=VendorFactory(time_zone=zone), name="acme")
        meters = meters_of_every_kind(customer.vendor)
        edges = sorted({*edges, edges[0] + 1})
        windows = list(windows_on(meters, customer, edges, zone))
        for batch in sent:
            send(customer.vendor, batch)
            partly = usage_of(windows)
            fold_usage()
            wholly = usage_of(windows)
            assert not StaleUsage.objects.exists()
            plainly = from_measurements(windows)
            for window in windows:
                assert partly[window.key] == plainly[window.key] == wholly[window.key], window


@pytest.fixture
def customer():
    return CustomerFactory(name="acme")


@pytest.fixture
def meter(customer):
    return MeterFactory(vendor=customer.vendor, name="calls", event_name="used", primary_labels=["region"])


def used(meter, customer):
    return usage_of([Window("all", customer.pk, meter.pk, at(0), at(MINUTES))])["all"].quantity


@pytest.mark.django_db
def test_a_day_is_one_row_however_much_was_measured(customer, meter):
    send(customer.vendor, [(minute, 1, "a", None, False) for minute in range(0, 2880, 10)])
    assert fold_usage() == 2
    kept = list(UsageDay.objects.values_list("day", "stream", "count", "sum", "latest").order_by("day"))
    assert [(day.day, *row) for day, *row in kept] == [(5, '["a"]', 144, 144, 1), (6, '["a"]', 144, 144, 1)]
    assert fold_usage() == 0


@pytest.mark.django_db
def test_what_is_deleted_is_gone_from_its_day(customer, meter):
    send(customer.vendor, [(0, 5, "a", None, False), (1, 7, "b", None, False), (5000, 9, "a", None, False)])
    fold_usage()
    Measurement.objects.filter(time__lt=at(1)).delete()
    assert used(meter, customer) == 16
    fold_usage()
    assert (used(meter, customer), UsageDay.objects.count()) == (16, 2)
    Measurement.objects.all().delete()
    fold_usage()
    assert (used(meter, customer), UsageDay.objects.count()) == (0, 0)


@pytest.mark.django_db
def test_other_days_begin_where_the_time_zone_is_another(customer, meter):
    send(customer.vendor, [(minute, 1, "a", None, False) for minute in range(0, 1440, 60)])
    fold_usage()
    customer.vendor.time_zone = "America/New_York"
    customer.vendor.save()
    assert (used(meter, customer), UsageDay.objects.count()) == (24, 0)
    fold_usage()
    assert list(UsageDay.objects.order_by("day").values_list("day__day", "sum")) == [(4, 5), (5, 19)]
    assert used(meter, customer) == 24


@pytest.mark.django_db(transaction=True)
def test_what_arrives_while_a_day_is_folded_is_not_lost(customer, meter):
    """One transaction has written and not committed when another folds the same day; it commits afterwards."""
    send(customer.vendor, [(0, 1, "a", None, False)])
    with transaction.atomic():
        send(customer.vendor, [(1, 10, "a", None, False)])
        in_another_process(fold_usage)
        assert StaleUsage.objects.count() == 1
    assert UsageDay.objects.get().sum == 1
    assert used(meter, customer) == 11
    fold_usage()
    assert (UsageDay.objects.get().sum, used(meter, customer)) == (11, 11)


@pytest.mark.django_db(transaction=True)
def test_two_batches_with_the_same_measurements_wait_for_each_other(customer, meter):
    """The one that commits last has replaced the other; folded in between or not."""
    batch = [(minute, 1, "a", None, False) for minute in range(50)]
    again = Thread(
        target=lambda: in_this_thread(lambda: send(customer.vendor, [(m, 2, *rest) for m, _, *rest in batch]))
    )
    with transaction.atomic():
        send(customer.vendor, batch)
        again.start()
        again.join(0.3)
        assert again.is_alive()
    again.join()
    assert used(meter, customer) == 100
    fold_usage()
    assert used(meter, customer) == 100


def in_another_process(work):
    thread = Thread(target=lambda: in_this_thread(work))
    thread.start()
    thread.join()


def in_this_thread(work):
    try:
        work()
    finally:
        connection.close()
