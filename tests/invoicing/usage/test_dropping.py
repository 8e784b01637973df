"""Measurements that are invoiced for good can be dropped by the month; what the days came to goes on to answer."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from customers.errors import Conflict, Invalid
from invoicing.invoices.generation import generate_due
from invoicing.models import BillingCycle, DroppedMonth, Invoice, Measurement, StaleUsage, UsageDay
from invoicing.subscriptions.models import CycleAction
from invoicing.usage import by_time
from invoicing.usage.aggregation import MeasurementsDropped, usage_of
from invoicing.usage.folding import fold_usage
from invoicing.usage.intake import take_in
from invoicing.usage.partitions import months_kept
from invoicing.usage.values import Window
from tests.factories import (
    CustomerFactory,
    MeteredComponentFactory,
    MeterFactory,
    PricePlanFactory,
    SubscriptionFactory,
    VendorFactory,
)

pytestmark = pytest.mark.django_db

FEBRUARY, MARCH = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
APRIL, MAY = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def vendor():
    return VendorFactory()


@pytest.fixture
def customer(vendor):
    return CustomerFactory(vendor=vendor, name="acme")


@pytest.fixture
def meter(vendor):
    return MeterFactory(vendor=vendor, name="calls")


@pytest.fixture
def cycle(customer, meter):
    plan = PricePlanFactory(vendor=customer.vendor)
    MeteredComponentFactory(price_plan=plan, meter=meter)
    subscription = SubscriptionFactory(customer=customer, vendor=customer.vendor, price_plan=plan, effective_at=MARCH)
    return BillingCycle.objects.create(
        vendor=customer.vendor, customer=customer, subscription=subscription, index=0, start=MARCH, end=APRIL,
        ended_at=APRIL, next_action=CycleAction.GENERATE, next_action_at=APRIL,
    )  # fmt: skip


def send(vendor, *times, now=MAY, meter="calls"):
    items = [
        {"meter_name": meter, "customer_name": "acme", "value": 5, "time": time.isoformat(), "id": f"{n}"}
        for n, time in enumerate(times)
    ]
    return take_in(vendor, items, now=now, real_now=now)


def drop(before="2026-04", **options):
    out = StringIO()
    with connection.cursor() as cursor:  # As if what the test wrote were committed.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    call_command("drop_measurements", f"--before={before}", stdout=out, **options)
    return out.getvalue()


def used(customer, meter, start=MARCH, end=APRIL, **options):
    return usage_of([Window("all", customer.pk, meter.pk, start, end, **options)])["all"]


def test_a_month_is_invoiced_and_then_dropped(vendor, customer, meter, cycle):
    send(vendor, MARCH, MARCH + timedelta(days=10, hours=3), APRIL - timedelta(seconds=1), APRIL)

    with pytest.raises(CommandError, match="acme .* 2026-03-01 to 2026-04-01"):
        drop()
    generate_due(BillingCycle.objects.all(), limit=10, real_now=APRIL)
    with pytest.raises(CommandError, match="issue"):
        drop()
    Invoice.objects.update(status="INVOICE_ISSUED", number="1", issued_at=APRIL)

    told = drop(dry_run=True)
    assert "2026-03: 3 measurements, " in told
    assert "Would free" in told
    assert Measurement.objects.count() == 4
    assert not DroppedMonth.objects.exists()

    before = used(customer, meter, zone="UTC")
    assert "Freed" in drop()
    assert date(2026, 3, 1) not in months_kept()
    assert Measurement.objects.get().time == APRIL
    kept = DroppedMonth.objects.latest("month")
    assert (kept.month, kept.measurements, kept.bytes > 0) == (date(2026, 3, 1), 3, True)
    assert used(customer, meter, zone="UTC") == before
    assert before.quantity == 15
    assert "There are no measurements" in drop()


def test_what_is_dropped_is_not_taken_again(vendor, customer, meter):
    send(vendor, MARCH, APRIL)
    drop()
    for late in (MARCH, FEBRUARY, APRIL - timedelta(microseconds=1)):
        with pytest.raises(Invalid) as refused:
            send(vendor, APRIL, late)
        assert list(refused.value.errors) == ["1.time"]
        assert "of before 2026-04-01" in str(refused.value.errors)
    send(vendor, APRIL)
    assert date(2026, 3, 1) not in months_kept()


def test_a_day_that_was_dropped_in_part_stays_what_it_was():
    """In New York the last day of March goes on for four hours of April, of UTC."""
    vendor = VendorFactory(time_zone="America/New_York")
    CustomerFactory(vendor=vendor, name="acme")
    MeterFactory(vendor=vendor, name="calls")
    send(vendor, APRIL - timedelta(hours=1), APRIL + timedelta(hours=1), APRIL + timedelta(hours=5))
    drop()
    with pytest.raises(Invalid, match="2026-04-01"):
        send(vendor, APRIL + timedelta(hours=2))
    [rest, _] = Measurement.objects.order_by("time")
    rest.delete()  # By hand: the day is marked, but cannot be counted anew.
    fold_usage()
    assert not StaleUsage.objects.exists()
    assert [day.count for day in UsageDay.objects.order_by("day")] == [2, 1]
    vendor.time_zone = "UTC"
    with pytest.raises(DatabaseError, match="time zone"), transaction.atomic():
        vendor.save()


def test_what_needs_dropped_measurements_says_so(vendor, customer, meter):
    send(vendor, MARCH + timedelta(days=3, hours=5), APRIL)
    fold_usage()
    drop()
    noon = MARCH + timedelta(days=3, hours=12)
    for options in ({"end": noon}, {"zone": "Asia/Kolkata"}):
        with pytest.raises(MeasurementsDropped, match="whole days"):
            used(customer, meter, **options)
    assert used(customer, meter, end=noon - timedelta(days=3)).quantity == 0  # Nothing was measured there.
    assert used(customer, meter, APRIL - timedelta(hours=1), MAY).quantity == 5
    assert issubclass(MeasurementsDropped, Conflict)

    question = by_time.Question(customer, meter, MARCH, MAY, meter.aggregation, {})
    with pytest.raises(Invalid) as refused:
        by_time.check(question)
    assert "2026-04-01" in str(refused.value.errors["start_time"])


def test_what_waits_for_its_customer_is_not_dropped(vendor, meter):
    send(vendor, MARCH)
    with pytest.raises(CommandError, match="1 measurements .* wait for their customer"):
        drop()


def test_a_trial_without_an_invoice_is_in_nobodys_way(vendor, customer, cycle, meter):
    cycle.subscription.trial_ends_at = APRIL
    cycle.subscription.save()
    BillingCycle.objects.update(next_action="", next_action_at=None)
    send(vendor, MARCH)
    assert "Freed" in drop()


@pytest.mark.parametrize("before", ["2999-01", "March", "2026-13"])
def test_a_month_that_cannot_be_meant(before):
    with pytest.raises(CommandError):
        drop(before)


def test_nothing_far_off_makes_months(vendor, customer, meter):
    kept = months_kept()
    for far in (datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)):
        with pytest.raises(Invalid) as refused:
            send(vendor, MARCH, far)
        assert "give a time from 2016-" in str(refused.value.errors["1.time"])
    assert months_kept() == kept


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"labels": {"region": "a\0b"}}, "labels.region"),
        ({"labels": {"a\0b": "eu"}}, "labels"),
        ({"labels": {"region": "x" * 10_001}}, "labels.region"),
        ({"labels": {"region": "€" * 900}}, "labels.region"),
        ({"labels": {"x" * 129: "eu"}}, "labels"),
        ({"labels": {str(n): "" for n in range(65)}}, "labels"),
        ({"labels": {"region": "\ud800"}}, "labels.region"),
        ({"labels": {"region": "eu"}, "id": "a\0"}, "id"),
        ({"labels": {"region": "eu"}, "customer_name": "ac\0me"}, "customer_name"),
        ({"labels": {"region": "eu"}, "meter_name": "calls\0"}, "meter_name"),
    ],
)
def test_what_no_column_holds_is_refused_by_its_name(vendor, customer, wrong, field):
    MeterFactory(vendor=vendor, name="calls", primary_labels=["region"])
    good = {
        "meter_name": "calls",
        "customer_name": "acme",
        "value": 1,
        "labels": {"region": "x" * 1000},
        "id": "y" * 255,
    }
    with pytest.raises(Invalid) as refused:
        take_in(vendor, [good, {**good, **wrong}], now=MAY, real_now=MAY)
    assert list(refused.value.errors) == [f"1.{field}"]
    assert not Measurement.objects.exists()
    take_in(vendor, [good], now=MAY, real_now=MAY)
    assert Measurement.objects.get().value == Decimal(1)
