"""Price plans: what is given is stored to the last decimal, what is wrong is named, versions follow each other."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from customers.errors import Conflict, Invalid, Missing
from invoicing.catalog import verbs
from invoicing.models import PricePlan
from tests.factories import MeteredComponentFactory, MeterFactory, PricePlanFactory, SubscriptionFactory, VendorFactory

NOW = datetime(2026, 3, 1, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def flat(price=7, **scheme):
    return {"scheme_type": "FLAT", "prices": [{"price": price}], **scheme}


def component(scheme=None, **more):
    return {"meter_name": "calls", "price_scheme": flat() if scheme is None else scheme, **more}


@pytest.fixture
def vendor():
    vendor = VendorFactory(currency="EUR")
    MeterFactory(vendor=vendor, name="calls")
    return vendor


def create(vendor, **values):
    return verbs.create_price_plan(vendor, {"name": "pro", **values}, now=NOW)


def test_base_price_and_a_component(vendor):
    plan = create(
        vendor,
        display_name="Pro",
        base_price=9900,
        metered_components=[component(flat(0.035), display_name="API calls")],
    )
    plan.refresh_from_db()
    assert (plan.version, plan.period, plan.currency, plan.base_price, plan.created_at) == (
        1,
        "month",
        "EUR",
        9900,
        NOW,
    )
    stored = plan.metered_components.get()
    assert (stored.label, stored.position, stored.price_scheme.scheme_type) == ("API calls", 0, "FLAT")
    assert stored.price_scheme.tiers.get().price == Decimal("0.035")


@pytest.mark.parametrize("scheme_type", ["TIERED", "VOLUME", "STAIRSTEP"])
def test_tiers_are_kept_in_order(vendor, scheme_type):
    prices = [{"price": 50, "cap": 100}, {"price": 40, "cap": 200}, {"price": 30}]
    plan = create(vendor, metered_components=[component({"scheme_type": scheme_type, "prices": prices})])
    tiers = plan.metered_components.get().price_scheme.tiers.all()
    assert [(tier.price, tier.cap) for tier in tiers] == [(50, 100), (40, 200), (30, None)]


SCHEME = "metered_components.0.price_scheme"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ([{"meter_name": "nothing", "price_scheme": flat()}], "metered_components.0.meter_name"),
        ([component(), {"meter_name": "nothing", "price_scheme": flat()}], "metered_components.1.meter_name"),
        ([{"price_scheme": flat()}], "metered_components.0.meter_name"),
        ([{"meter_name": "calls"}], SCHEME),
        ([component({"scheme_type": "FREE", "prices": [{"price": 1}]})], f"{SCHEME}.scheme_type"),
        ([component({"scheme_type": "FLAT"})], f"{SCHEME}.prices"),
        ([component({"scheme_type": "FLAT", "prices": [{"price": 1}, {"price": 2}]})], f"{SCHEME}.prices"),
        ([component({"scheme_type": "FLAT", "prices": [{"price": 1, "cap": 5}]})], f"{SCHEME}.prices.0.cap"),
        ([component({"scheme_type": "TIERED", "prices": [{"cap": 5}]})], f"{SCHEME}.prices.0.price"),
        ([component(flat(-1))], f"{SCHEME}.prices.0.price"),
        ([component(flat(float("nan")))], f"{SCHEME}.prices.0.price"),
        ([component(flat("0.0000000000001"))], f"{SCHEME}.prices.0.price"),
        ([component({"scheme_type": "TIERED", "prices": [{"price": 1}, {"price": 2}]})], f"{SCHEME}.prices.0.cap"),
        (
            [component({"scheme_type": "TIERED", "prices": [{"price": 1, "cap": 9}, {"price": 2, "cap": 9}]})],
            f"{SCHEME}.prices.1.cap",
        ),
        ([component({**flat(), "scheme_type": "VOLUME", "batch_size": 10})], f"{SCHEME}.batch_size"),
        ([component({**flat(), "scheme_type": "STAIRSTEP", "batch_size": 10})], f"{SCHEME}.batch_size"),
        ([component(flat(batch_size=-1))], f"{SCHEME}.batch_size"),
        ([component(flat(price_list=[{"price": 1}]))], f"{SCHEME}.price_list"),
        ([component(flat(frequency=12))], f"{SCHEME}.frequency"),
        ([component(minimum_charge=-100)], "metered_components.0.minimum_charge"),
        (
            [component(minimum_charge=100, minimum_charge_frequency=121)],
            "metered_components.0.minimum_charge_frequency",
        ),
        ([component(watermark=5)], "metered_components.0.watermark"),
    ],
)
def test_a_wrong_component_is_named_and_nothing_is_stored(vendor, given, field):
    with pytest.raises(Invalid) as refusal:
        create(vendor, metered_components=given)
    assert list(refusal.value.errors) == [field]
    assert not PricePlan.objects.exists()


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "paginate"}, "name"),
        ({"period": "week"}, "period"),
        ({"currency": "XXX"}, "currency"),
        ({"base_price": -1}, "base_price"),
        ({"base_price": 1.5}, "base_price"),
        ({"base_price_frequency": 0}, "base_price_frequency"),
        ({"minimum_charge": -500}, "minimum_charge"),
        ({"minimum_charge": 500, "minimum_charge_frequency": 121}, "minimum_charge_frequency"),
        ({"trial": {"time_length": 0.5}}, "trial.time_length"),
    ],
)
def test_a_wrong_field_is_named(vendor, values, field):
    with pytest.raises(Invalid) as refusal:
        create(vendor, **values)
    assert list(refusal.value.errors) == [field]


def test_minimum_charges_are_kept_from_version_to_version(vendor):
    create(
        vendor, minimum_charge=50_000, minimum_charge_frequency=1, metered_components=[component(minimum_charge=100)]
    )
    plan = verbs.update_price_plan(vendor, "pro", {"base_price": 1}, now=NOW)
    assert (plan.minimum_charge, plan.minimum_charge_frequency) == (50_000, 1)
    assert plan.metered_components.get().minimum_charge == 100


def test_a_meter_of_another_vendor_is_missing(vendor):
    with pytest.raises(Invalid, match="no meter 'calls'"):
        create(VendorFactory(), metered_components=[component()])


def test_an_archived_meter_takes_no_new_plan(vendor):
    verbs.archive_meter(vendor, "calls", now=NOW)
    with pytest.raises(Invalid, match="archived"):
        create(vendor, metered_components=[component()])


def test_a_change_makes_a_version_and_carries_over_the_rest(vendor):
    first = create(vendor, base_price=9900, metered_components=[component(flat(7), display_name="Calls")])
    second = verbs.update_price_plan(vendor, "pro", {"base_price": 12000}, now=NOW)
    assert (second.version, second.base_price) == (2, 12000)
    copied = second.metered_components.get()
    assert (copied.display_name, copied.price_scheme.tiers.get().price) == ("Calls", 7)
    assert copied.external_uuid != first.metered_components.get().external_uuid
    first.refresh_from_db()
    assert first.base_price == 9900
    assert verbs.find_plan(vendor, "pro") == second


def test_a_refused_change_makes_no_version(vendor):
    create(vendor)
    with pytest.raises(Invalid):
        verbs.update_price_plan(vendor, "pro", {"metered_components": [{"meter_name": "nothing"}]}, now=NOW)
    with pytest.raises(Invalid, match="keeps its name"):
        verbs.update_price_plan(vendor, "pro", {"name": "other"}, now=NOW)
    assert PricePlan.objects.count() == 1


def test_a_tag_points_at_the_version_that_got_it_last(vendor):
    first = create(vendor, tags=["stable", "old"])
    second = verbs.update_price_plan(vendor, "pro", {"tags": ["stable"]}, now=NOW)
    assert verbs.find_plan(vendor, "pro", "stable") == second
    assert verbs.find_plan(vendor, "pro", "old") == first
    with pytest.raises(Missing, match="tag 'new'"):
        verbs.find_plan(vendor, "pro", "new")


def test_the_list_holds_the_newest_version_of_what_is_not_archived(vendor):
    create(vendor)
    newest = verbs.update_price_plan(vendor, "pro", {"base_price": 1}, now=NOW)
    create(vendor, name="gone")
    verbs.archive_price_plan(vendor, "gone", now=NOW)
    PricePlanFactory()
    assert list(verbs.latest_plans(vendor)) == [newest]


def test_a_name_is_used_once(vendor):
    create(vendor)
    with pytest.raises(Invalid, match="exists already"):
        create(vendor)


def test_a_plan_with_subscribers_stays(vendor):
    plan = create(vendor)
    subscription = SubscriptionFactory(customer__vendor=vendor, price_plan=plan)
    verbs.update_price_plan(vendor, "pro", {"base_price": 1}, now=NOW)
    for refused in (verbs.delete_price_plan, verbs.archive_price_plan):
        with pytest.raises(Conflict, match="subscribed"):
            refused(vendor, "pro", now=NOW)
    subscription.expired_at = NOW - timedelta(days=1)
    subscription.save()
    verbs.delete_price_plan(vendor, "pro", now=NOW)
    plan.refresh_from_db()
    assert plan.archived_at == NOW


def test_a_plan_nobody_ever_had_is_deleted(vendor):
    create(vendor, metered_components=[component()])
    verbs.delete_price_plan(vendor, "pro", now=NOW)
    assert not PricePlan.objects.exists()


def test_factories_make_whole_components():
    made = MeteredComponentFactory(price_scheme__price=Decimal("0.5"))
    assert made.price_scheme.tiers.get().price == Decimal("0.5")
    assert made.meter.vendor == made.price_plan.vendor
