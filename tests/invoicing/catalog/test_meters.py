"""Meters: both generations agree, contradictions are refused by name, and what is in use stays."""

from datetime import UTC, datetime

import pytest

from customers.errors import Conflict, Invalid, Missing
from invoicing.catalog import verbs
from invoicing.catalog.generations import meter_kind
from invoicing.catalog.labels import check, passes
from invoicing.models import Measurement, Meter
from tests.factories import (
    MeasurementFactory,
    MeteredComponentFactory,
    MeterFactory,
    SubscriptionFactory,
    VendorFactory,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def create(vendor, **values):
    return verbs.create_meter(vendor, {"name": "calls", **values}, now=NOW, real_now=NOW)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("COUNTER", True, "DISCRETE", "DELTA", "SUM")),
        ({"meter_type": "COUNTER", "is_incremental": True}, ("COUNTER", True, "DISCRETE", "DELTA", "SUM")),
        ({"data_type": "DISCRETE", "aggregation": "MAX"}, ("COUNTER", True, "DISCRETE", "DELTA", "MAX")),
        ({"meter_type": "GAUGE", "aggregation": "LATEST"}, ("GAUGE", False, "CONTINUOUS", "TOTAL", "LATEST")),
        (
            {"data_type": "CONTINUOUS", "reporting_method": "TOTAL", "aggregation": "MAX"},
            ("GAUGE", False, "CONTINUOUS", "TOTAL", "MAX"),
        ),
    ],
)
def test_both_generations_tell_the_same_story(given, expected):
    kind = meter_kind(given)
    assert (
        kind.meter_type, kind.is_incremental, kind.data_type, kind.reporting_method, kind.aggregation
    ) == expected  # fmt: skip


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"meter_type": "THERMOMETER"}, "meter_type", "COUNTER, GAUGE"),
        ({"data_type": "FUZZY"}, "data_type", "DISCRETE, CONTINUOUS"),
        ({"reporting_method": "SOMETIMES"}, "reporting_method", "DELTA, TOTAL"),
        ({"aggregation": "MEDIAN"}, "aggregation", "SUM, MAX"),
        ({"meter_type": "GAUGE", "data_type": "DISCRETE"}, "data_type", "contradicts meter_type GAUGE"),
        ({"is_incremental": True, "reporting_method": "TOTAL"}, "reporting_method", "contradicts is_incremental"),
        ({"is_incremental": False}, "is_incremental", "DELTA"),
        ({"meter_type": "GAUGE", "aggregation": "SUM"}, "aggregation", "LATEST, MAX, MIN"),
        ({"aggregation": "TIME_WEIGHTED_SUM"}, "aggregation", "does not go with DISCRETE"),
        ({"meter_type": "GAUGE", "aggregation": "COUNT"}, "aggregation", "TIME_WEIGHTED_SUM"),
    ],
)
def test_what_contradicts_or_is_unknown_is_refused_by_name(given, field, said):
    with pytest.raises(Invalid) as refusal:
        meter_kind(given)
    assert list(refusal.value.errors) == [field]
    assert said in refusal.value.errors[field][0]


@pytest.mark.django_db
class TestMeters:
    def test_a_meter_takes_its_name_as_event(self):
        vendor = VendorFactory()
        meter = create(vendor, display_name="API calls", unit_name="call")
        meter.refresh_from_db()
        assert (meter.event_name, meter.label, meter.unit_name, meter.created_at) == ("calls", "API calls", "call", NOW)

    def test_a_name_is_used_once_a_vendor(self):
        vendor = VendorFactory()
        create(vendor)
        with pytest.raises(Invalid) as refusal:
            create(vendor)
        assert list(refusal.value.errors) == ["name"]
        create(VendorFactory())

    @pytest.mark.parametrize("name", ["", "a/b", "tab\there", ".."])
    def test_a_name_fits_into_an_address(self, name):
        with pytest.raises(Invalid, match="name"):
            create(VendorFactory(), name=name)

    def test_meters_that_share_an_event_share_their_labels(self):
        vendor = VendorFactory()
        create(vendor, name="requests", event_name="http", primary_labels=["region", "host"])
        create(vendor, name="bytes", event_name="http", primary_labels=["host", "region"])
        with pytest.raises(Invalid, match="host, region"):
            create(vendor, name="errors", event_name="http", primary_labels=["host"])

    def test_only_texts_change(self):
        meter = MeterFactory()
        verbs.update_meter(meter.vendor, meter.name, {"display_name": "Calls"})
        meter.refresh_from_db()
        assert meter.display_name == "Calls"

    def test_a_meter_in_a_plan_cannot_be_deleted(self):
        component = MeteredComponentFactory()
        with pytest.raises(Conflict, match="part of a price plan"):
            verbs.delete_meter(component.meter.vendor, component.meter.name)
        assert Meter.objects.filter(pk=component.meter.pk).exists()

    def test_a_meter_that_no_plan_uses_goes_with_its_measurements(self):
        measurement = MeasurementFactory()
        verbs.delete_meter(measurement.vendor, measurement.meter.name)
        assert not Measurement.objects.exists()

    def test_a_meter_of_a_running_plan_cannot_be_archived(self):
        component = MeteredComponentFactory()
        with pytest.raises(Conflict, match=component.price_plan.name):
            verbs.archive_meter(component.meter.vendor, component.meter.name, now=NOW)

    def test_a_meter_of_an_old_version_can_be_archived_once_nobody_is_on_it(self):
        component = MeteredComponentFactory()
        plan, meter = component.price_plan, component.meter
        subscription = SubscriptionFactory(customer__vendor=plan.vendor, price_plan=plan)
        verbs.update_price_plan(plan.vendor, plan.name, {"metered_components": []}, now=NOW)
        with pytest.raises(Conflict):
            verbs.archive_meter(plan.vendor, meter.name, now=NOW)
        subscription.expired_at = NOW
        subscription.save()
        assert verbs.archive_meter(plan.vendor, meter.name, now=NOW).archived_at == NOW

    def test_another_vendors_meter_does_not_exist(self):
        meter = MeterFactory()
        with pytest.raises(Missing):
            verbs.find_meter(VendorFactory(), meter.name)


def equals(key, value, **more):
    return {"is_expression": False, "filter": {"key": key, "operation": "EQUALS", "value": value}, **more}


def exists(key):
    return {"filter": {"key": key, "operation": "EXISTS"}}


# Retried, or an error in the EU.
NESTED = {
    "is_expression": True,
    "expression_operator": "OR",
    "filters": [
        exists("retry"),
        {"is_expression": True, "filters": [equals("region", "eu"), equals("status", "500")]},
    ],
}


@pytest.mark.parametrize(
    ("tree", "labels", "counts"),
    [
        (None, {}, True),
        (equals("region", "eu"), {"region": "eu"}, True),
        (equals("region", "eu"), {"region": "us"}, False),
        (equals("region", "eu", not_filter=True), {"region": "us"}, True),
        (equals("region", "eu", not_filter=True), {}, True),
        (equals("region", "eu", not_filter=True), {"region": "eu"}, False),
        (exists("host"), {"host": ""}, True),
        (exists("host"), {}, False),
        ({"is_expression": True, "filters": [exists("a"), exists("b")]}, {"a": "1"}, False),
        (
            {"is_expression": True, "expression_operator": "OR", "filters": [exists("a"), exists("b")]},
            {"a": "1"},
            True,
        ),
        (NESTED, {"region": "eu", "status": "500"}, True),
        (NESTED, {"region": "eu", "status": "200"}, False),
        (NESTED, {"retry": "", "status": "200"}, True),
    ],
)
def test_label_filters(tree, labels, counts):
    assert passes(tree, labels) is counts


@pytest.mark.parametrize(
    ("tree", "field"),
    [
        ("eu", "event_label_filter"),
        ({"filter": {"key": "a", "operation": "LIKE", "value": "x"}}, "event_label_filter.filter.operation"),
        ({"filter": {"operation": "EXISTS"}}, "event_label_filter.filter.key"),
        ({"filter": {"key": "a", "operation": "EQUALS"}}, "event_label_filter.filter.value"),
        ({"filter": {"key": "a", "operation": "EXISTS", "value": "x"}}, "event_label_filter.filter.value"),
        ({"is_expression": True, "filters": []}, "event_label_filter.filters"),
        ({"is_expression": True, "filters": [exists("a"), {}]}, "event_label_filter.filters.1.filter"),
        (
            {"is_expression": True, "expression_operator": "XOR", "filters": []},
            "event_label_filter.expression_operator",
        ),
        ({"surprise": 1}, "event_label_filter.surprise"),
    ],
)
def test_a_malformed_filter_is_refused_where_it_is_wrong(tree, field):
    with pytest.raises(Invalid) as refusal:
        check(tree)
    assert list(refusal.value.errors) == [field]
