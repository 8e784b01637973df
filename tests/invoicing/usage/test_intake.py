"""Measurements come in: whole batches or nothing, replaced by key, kept until somebody's."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from customers.actors import Actor, ActorKind
from customers.directory import NewCustomer, Rule, add_mapping, create_customer
from customers.errors import Invalid
from invoicing.catalog.verbs import create_meter
from invoicing.models import Measurement, UnattributedMeasurement
from invoicing.usage import intake
from invoicing.usage.aggregation import usage_of
from invoicing.usage.intake import attribute_pending, take_in, take_in_one
from invoicing.usage.values import Window
from tests.factories import CustomerFactory, MappingFactory, MeterFactory, VendorFactory

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
REAL_NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACTOR = Actor(ActorKind.API_KEY, "billing robot", "1")

pytestmark = pytest.mark.django_db


@pytest.fixture
def vendor():
    return VendorFactory()


@pytest.fixture
def customer(vendor):
    return CustomerFactory(vendor=vendor, name="acme")


@pytest.fixture
def meter(vendor, customer):
    return MeterFactory(vendor=vendor, name="calls")


def item(**fields):
    return {"meter_name": "calls", "customer_name": "acme", "value": 1, "time": "2026-03-01T00:00:00Z", **fields}


def take(vendor, *items):
    return take_in(vendor, list(items), now=NOW, real_now=REAL_NOW)


def values():
    return sorted(Measurement.objects.values_list("value", flat=True))


def waiting():
    return list(UnattributedMeasurement.objects.order_by("pk").values_list("reason", flat=True))


def test_a_measurement_is_stored_as_sent(vendor, customer, meter):
    take(vendor, item(value=Decimal("12.5"), labels={"region": "eu"}, id="evt-1"))
    row = Measurement.objects.get()
    assert (row.vendor, row.meter, row.customer) == (vendor, meter, customer)
    assert (row.value, row.time, row.labels) == (Decimal("12.5"), datetime(2026, 3, 1, tzinfo=UTC), {"region": "eu"})
    assert (row.external_id, row.stream, row.received_at) == ("evt-1", "", REAL_NOW)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01T10:00:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01 10:00:00.123456", datetime(2026, 3, 1, 10, 0, 0, 123456, tzinfo=UTC)),
        ("2026-03-01T10:00:00+02:00", datetime(2026, 3, 1, 8, tzinfo=UTC)),
        ("2030-01-01T00:00:00Z", datetime(2030, 1, 1, tzinfo=UTC)),
        (None, NOW),
    ],
)
@pytest.mark.usefixtures("meter")
def test_times(vendor, text, moment):
    take(vendor, item(time=text))
    assert Measurement.objects.get().time == moment


@pytest.mark.usefixtures("meter")
def test_those_without_a_time_do_not_replace_each_other(vendor):
    take(vendor, item(time=None), item(time=None, value=2))
    take(vendor, item(time=None, value=3))
    assert values() == [1, 2, 3]


@pytest.mark.usefixtures("meter")
def test_a_later_one_with_the_same_key_replaces(vendor):
    take(vendor, item(value=1), item(value=2, time="2026-03-01T00:00:00.000001Z"))
    take(vendor, item(value=5))
    assert values() == [2, 5]


@pytest.mark.usefixtures("meter")
def test_the_last_of_a_batch_counts(vendor):
    take(vendor, item(value=1), item(value=7))
    assert values() == [7]


@pytest.mark.usefixtures("meter")
def test_an_id_keeps_apart_what_collides_on_time(vendor):
    take(vendor, item(value=1, id="a"), item(value=2, id="b"), item(value=3))
    take(vendor, item(value=9, id="b"))
    assert values() == [1, 3, 9]


@pytest.mark.usefixtures("customer")
def test_an_id_is_one_measurement_whenever_it_is_sent_again(vendor):
    """Also without a time, so that a request that is sent twice counts once; and of those that wait, the last."""
    for time in ("2026-01-31T12:00:00Z", None):
        take(vendor, item(id="a", value=3, time=time), item(id="b", time=time))
    assert (values(), len(waiting())) == ([], 4)
    MeterFactory(vendor=vendor, name="calls")
    take(vendor, item(id="b", value=7, time=None))
    attribute_pending(vendor, real_now=REAL_NOW)
    assert sorted(Measurement.objects.values_list("value", "time")) == [(3, NOW), (7, NOW)]
    take(vendor, item(id="a", value=4), item(id="a", value=5, time="2026-02-01T00:00:00Z"))
    assert values() == [5, 7]


def test_of_two_with_the_same_time_the_one_with_the_larger_id_is_later(vendor, customer):
    meter = MeterFactory(vendor=vendor, name="calls", aggregation="LATEST")
    take(vendor, item(value=20, id="b"), item(value=10, id="a"))
    window = Window("only", customer.pk, meter.pk, datetime(2026, 3, 1, tzinfo=UTC), NOW)
    assert usage_of([window])["only"].quantity == 20


def test_each_combination_of_primary_labels_is_a_stream(vendor, customer):
    MeterFactory(vendor=vendor, name="calls", primary_labels=["region", "host"])
    take(
        vendor,
        item(value=1, labels={"region": "eu", "host": "a"}),
        item(value=2, labels={"host": "b", "region": "eu"}),
        item(value=3, labels={"host": "a", "region": "eu", "other": "x"}),
    )
    assert sorted(Measurement.objects.values_list("stream", "value")) == [('["eu", "a"]', 3), ('["eu", "b"]', 2)]


@pytest.mark.usefixtures("meter")
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"value": None}, "1.value"),
        ({"value": "12"}, "1.value"),
        ({"value": True}, "1.value"),
        ({"value": float("nan")}, "1.value"),
        ({"value": Decimal("Infinity")}, "1.value"),
        ({"value": 10**18}, "1.value"),
        ({"value": 10**5000}, "1.value"),
        ({"time": "yesterday"}, "1.time"),
        ({"time": 1767225600}, "1.time"),
        ({"time": "0001-01-01T00:00:00+10:00"}, "1.time"),
        ({"labels": ["eu"]}, "1.labels"),
        ({"labels": {"region": 7}}, "1.labels.region"),
        ({"customer_name": 7}, "1.customer_name"),
        ({"customer_name": "x" * 129}, "1.customer_name"),
        ({"id": "x" * 256}, "1.id"),
        ({"reset_total": "yes"}, "1.reset_total"),
        ({"reset_total": 1}, "1.reset_total"),
        ({"meter_name": None}, "1.meter_name"),
        ({"event_name": "calls"}, "1.meter_name"),
        ({"amount": 3}, "1.amount"),
    ],
)
def test_one_bad_item_refuses_the_batch(vendor, wrong, field):
    with pytest.raises(Invalid) as refusal:
        take(vendor, item(), item(**wrong), item())
    assert list(refusal.value.errors) == [field]
    assert not Measurement.objects.exists()
    assert not UnattributedMeasurement.objects.exists()


@pytest.mark.usefixtures("meter")
def test_every_bad_item_is_named_at_once(vendor):
    with pytest.raises(Invalid) as refusal:
        take(vendor, item(value=None), item(), "nonsense")
    assert list(refusal.value.errors) == ["0.value", "2"]


def test_a_missing_primary_label_refuses_the_batch(vendor, customer):
    MeterFactory(vendor=vendor, name="calls", primary_labels=["region"])
    with pytest.raises(Invalid) as refusal:
        take(vendor, item(labels={"region": "eu"}), item(labels={"Region": "eu"}))
    assert list(refusal.value.errors) == ["1.labels.region"]
    assert not Measurement.objects.exists()


def test_a_single_one_names_its_field_alone(vendor):
    with pytest.raises(Invalid) as refusal:
        take_in_one(vendor, {"meter_name": "calls"}, now=NOW, real_now=REAL_NOW)
    assert list(refusal.value.errors) == ["value"]


@pytest.mark.parametrize("batch", [None, {"value": 1}, "text"])
def test_a_batch_is_a_list(vendor, batch):
    with pytest.raises(Invalid, match="list of measurements"):
        take_in(vendor, batch, now=NOW, real_now=REAL_NOW)


def test_an_event_counts_on_every_meter_that_takes_it(vendor, customer):
    only_eu = {"filter": {"key": "region", "operation": "EQUALS", "value": "eu"}}
    MeterFactory(vendor=vendor, name="all", event_name="http")
    MeterFactory(vendor=vendor, name="eu", event_name="http", event_label_filter=only_eu)
    MeterFactory(vendor=vendor, name="archived", event_name="http", archived_at=NOW)
    for region in ("eu", "us"):
        event = item(event_name="http", labels={"region": region}, id=region)
        del event["meter_name"]
        take(vendor, event)
    assert sorted(Measurement.objects.values_list("meter__name", "external_id")) == [
        ("all", "eu"), ("all", "us"), ("eu", "eu")
    ]  # fmt: skip
    assert waiting() == []


def by_label(value, label="account", **fields):
    return {"meter_name": "calls", "value": 1, "time": "2026-03-01T00:00:00Z", "labels": {label: value}, **fields}


@pytest.mark.usefixtures("meter")
@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        ("acme-7", "acme-7", True),
        ("acme-7", "acme-77", False),
        (r"acme-\d+", "acme-77", True),
        (r"acme-\d+", "xacme-77", False),
        (r"acme|globex", "globex", True),
        (r"acme|globex", "globex2", False),
        (".*", "", True),
        ("a.me", "acme", True),
        ("/acme/.*", "/acme/v1/users", True),
        ("/acme/.*", "/v1/acme/users", False),
    ],
)
def test_a_mapping_matches_the_whole_value(vendor, customer, pattern, value, matches):
    MappingFactory(customer=customer, value_regex=pattern)
    take(vendor, by_label(value))
    assert Measurement.objects.filter(customer=customer).exists() is matches
    assert waiting() == ([] if matches else ["no_customer"])


@pytest.mark.usefixtures("meter")
def test_a_pattern_made_to_run_for_ever_does_not(vendor, customer):
    MappingFactory(customer=customer, value_regex="(a+)+$")
    take(vendor, by_label("a" * 5000 + "!"))
    assert waiting() == ["no_customer"]


@pytest.mark.usefixtures("meter")
def test_mappings_look_at_their_own_label_and_vendor(vendor, customer):
    MappingFactory(customer=customer, value_regex="x1")
    MappingFactory(customer=CustomerFactory(), value_regex="x2")
    take(vendor, by_label("x1", label="tenant"), by_label("x2"))
    assert waiting() == ["no_customer", "no_customer"]


@pytest.mark.usefixtures("meter")
def test_a_name_goes_before_mappings(vendor, customer):
    MappingFactory(customer=CustomerFactory(vendor=vendor), value_regex="x1")
    take(vendor, by_label("x1", customer_name="acme"))
    assert Measurement.objects.get().customer == customer


@pytest.mark.usefixtures("meter")
def test_what_several_customers_claim_is_nobodys(vendor, customer):
    MappingFactory(customer=customer, value_regex="x.*")
    MappingFactory(customer=CustomerFactory(vendor=vendor), value_regex="x1")
    take(vendor, by_label("x1"))
    assert waiting() == ["ambiguous"]


@pytest.mark.usefixtures("customer")
def test_what_knows_no_meter_waits_for_it(vendor):
    take(vendor, item(value=3), item(value=4, meter_name="other"))
    assert waiting() == ["no_meter", "no_meter"]
    create_meter(vendor, {"name": "calls"}, now=NOW, real_now=REAL_NOW)
    assert (values(), waiting()) == ([3], ["no_meter"])


@pytest.mark.usefixtures("meter")
def test_what_knows_no_customer_waits_for_its_name(vendor):
    take(vendor, item(customer_name="globex", value=3))
    create_customer(vendor, NewCustomer(name="globex"), actor=ACTOR, now=NOW, real_now=NOW)
    row = Measurement.objects.get()
    assert (row.customer.name, row.value, row.received_at) == ("globex", 3, REAL_NOW)
    assert waiting() == []


@pytest.mark.usefixtures("meter")
def test_what_knows_no_customer_waits_for_a_mapping(vendor, customer):
    take(vendor, by_label("x1"))
    add_mapping(customer, Rule("account", "x[0-9]"), actor=ACTOR, now=NOW, real_now=NOW)
    assert Measurement.objects.get().customer == customer


def test_of_those_waiting_the_one_received_last_counts(vendor, customer):
    for value in (1, 2):
        take_in(vendor, [item(value=value)], now=NOW, real_now=REAL_NOW.replace(day=value))
    create_meter(vendor, {"name": "calls"}, now=NOW, real_now=NOW)
    assert values() == [2]


@pytest.mark.usefixtures("customer")
def test_those_waiting_are_gone_through_in_parts_each_once(vendor, monkeypatch):
    """Some came together, some wait on; the last of the same moment counts, whichever part it is in."""
    monkeypatch.setattr(intake, "_CHUNK", 2)
    for day, batch in ((1, [1, 2, 3]), (2, [4]), (2, [5]), (3, [6, 7])):
        items = [item(value=value, id=str(value % 6)) for value in batch]
        take_in(vendor, [*items, item(customer_name="nobody")], now=NOW, real_now=REAL_NOW.replace(day=day))
    create_meter(vendor, {"name": "calls"}, now=NOW, real_now=NOW)
    assert (values(), waiting()) == ([2, 3, 4, 5, 6, 7], ["no_customer"] * 4)


def test_what_lacks_its_meters_label_goes_on_waiting_and_says_so(vendor, customer):
    take(vendor, item())
    create_meter(vendor, {"name": "calls", "primary_labels": ["region"]}, now=NOW, real_now=NOW)
    assert (values(), waiting()) == ([], ["missing_label"])


@pytest.mark.usefixtures("meter")
def test_another_vendors_customer_is_unknown(vendor):
    CustomerFactory(name="globex")
    take(vendor, item(customer_name="globex"))
    assert waiting() == ["no_customer"]


@pytest.mark.usefixtures("meter")
def test_a_thousand_take_as_many_queries_as_two(vendor, customer):
    MappingFactory(customer=customer, value_regex=r"tenant-\d+")
    counts = []
    for size in (2, 1000):
        batch = [by_label(f"tenant-{n}", id=str(n)) if n % 2 else item(id=str(n)) for n in range(size)]
        with CaptureQueriesContext(connection) as captured:
            take(vendor, *batch)
        counts.append(len(captured))
    assert counts[0] == counts[1]
    assert Measurement.objects.count() == 1000


MOMENTS = [f"2026-{day}T00:00:00Z" for day in ("01-31", "02-01", "02-02", "03-01")]
KEYS = st.tuples(st.sampled_from(MOMENTS), st.sampled_from(["eu", "us"]), st.sampled_from([None, "a", "b"]))


class TestReplacing(TestCase):
    @settings(max_examples=30, deadline=None)
    @given(st.lists(KEYS, min_size=1, max_size=8), st.data())
    def test_an_override_replaces_exactly_one(self, keys, data):
        """Primary labels tell measurements apart, and the id, or else the time; sent again, one of them has another
        value, and with an id another time, in whatever month that is."""
        customer = CustomerFactory(name="acme")
        MeterFactory(vendor=customer.vendor, name="calls", primary_labels=["region"])

        def kept():
            rows = Measurement.objects.values_list("stream", "external_id", "time", "value")
            return {(stream, given or time): (time, value) for stream, given, time, value in rows}, len(rows)

        def send(key, value):
            time, region, given_id = key
            take(customer.vendor, item(time=time, labels={"region": region}, id=given_id, value=value))

        for place, key in enumerate(keys):
            send(key, place + 1)
        before, count = kept()
        assert len(before) == count == len({(region, given or time) for time, region, given in keys})
        time, region, given_id = data.draw(st.sampled_from(keys))
        time = data.draw(st.sampled_from(MOMENTS)) if given_id else time
        send((time, region, given_id), 1000)
        after, count = kept()
        changed = [name for name, said in after.items() if before[name] != said]
        assert (set(after), count) == (set(before), len(before))
        assert [after[name] for name in changed] == [(datetime.fromisoformat(time), 1000)]
