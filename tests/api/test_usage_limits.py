"""Limits of usage, from the plan to the events that warn of them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from customers import clock
from customers.actors import SCHEDULE
from customers.models import Event
from invoicing.models import MeteredComponent, UsageAlert, UsageLimitCheck
from invoicing.subscriptions import usage_limits
from invoicing.usage.folding import fold_usage
from tests.api.client import Api, answer, refusal
from tests.factories import CustomerFactory

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
FLAT = {"scheme_type": "FLAT", "prices": [{"price": 7}]}
EU, EACH, ANY = ({"labels": {"region": value}, "limit": 40} for value in ("eu", "each", "any"))


@pytest.fixture(autouse=True)
def acme(api: Api, vendor):
    vendor.clock_offset = NOW - timezone.now()
    vendor.save()
    answer(api.post("/meters", {"name": "calls", "primary_labels": ["region"]}))
    answer(api.post("/meters", {"name": "disk", "meter_type": "GAUGE", "is_incremental": False}))
    return CustomerFactory(vendor=vendor, name="acme", currency="USD")


@pytest.fixture
def subscribed(api: Api):
    """On a plan whose calls have the limits given. Answers the component's address."""

    def subscribe(meter_name="calls", **limits) -> str:
        scheme = {**FLAT, "time_unit_name": "hour"} if meter_name == "disk" else FLAT
        component = {"meter_name": meter_name, "price_scheme": scheme, **limits}
        plan = answer(api.post("/price_plans", {"name": "pro", "metered_components": [component]}))
        start = {"price_plan_name": "pro", "effective_at": "2026-03-01T00:00:00Z"}
        answer(api.post("/customers/acme/subscriptions", start))
        [made] = plan["metered_components"]
        return f"/price_plans/metered_components/{made['external_uuid']}/update_limits"

    return subscribe


def use(api: Api, value: float, region: str = "eu", day: int = 2, meter: str = "calls", **more: object) -> None:
    labels = {"labels": {"region": region}} if meter == "calls" else {}
    time = f"2026-03-{day:02}T00:00:00Z"
    answer(
        api.post(
            "/measurements",
            {"meter_name": meter, "customer_name": "acme", "value": value, "time": time, **labels, **more},
        )
    )


def look() -> None:
    fold_usage()
    usage_limits.check_limits(real_now=timezone.now())
    assert not UsageLimitCheck.objects.exists()


def told() -> list[tuple[int, object, dict[str, str]]]:
    """Threshold, limit and labels, in order."""
    events = [event for event in Event.objects.order_by("pk") if event.kind.startswith("usage.")]
    found = [(one.payload.get("threshold", 100), one.payload["limit"], one.payload["labels"]) for one in events]
    assert len(found) == UsageAlert.objects.count()
    return found


def test_each_threshold_is_told_once_in_a_cycle(api: Api, subscribed) -> None:
    subscribed(limit=100)
    use(api, 49)
    look()
    assert told() == []
    use(api, 1, day=3)
    look()
    assert told() == [(50, 100, {})]
    event = Event.objects.get(kind="usage.limit_threshold_reached")
    assert event.payload == {
        "vendor_name": event.vendor.name,
        "customer_name": "acme",
        "meter_name": "calls",
        "labels": {},
        "limit": 100,
        "threshold": 50,
        "cycle_start": "2026-03-01T00:00:00+00:00",
        "cycle_end": "2026-04-01T00:00:00+00:00",
    }
    # A leap tells of everything it passed; a limit that is reached exactly is exceeded.
    use(api, 50, region="us", day=4)
    look()
    assert [threshold for threshold, *_ in told()] == [50, 70, 90, 100]
    usage_limits.note_all()
    look()
    assert len(told()) == 4


def test_a_correction_takes_nothing_back_and_is_not_told_of_again(api: Api, subscribed) -> None:
    subscribed(limit=100)
    use(api, 80, id="a")
    look()
    use(api, 10, id="a")
    look()
    use(api, 95, id="a")
    look()
    assert [threshold for threshold, *_ in told()] == [50, 70, 90]


def test_a_changed_limit_counts_anew_and_at_once(api: Api, subscribed) -> None:
    here = subscribed(limit=100)
    use(api, 60)
    look()
    assert answer(api.post(here, {"limit": 200}))["limit"] == 200
    look()
    assert told() == [(50, 100, {})]
    answer(api.post(here, {"limit": 80, "label_limits": [EU]}))
    look()
    assert told()[1:] == [(50, 80, {}), (70, 80, {}), *((t, 40, {"region": "eu"}) for t in (50, 70, 90, 100))]
    found = answer(api.post(here, {"limit": None}))
    assert (found["limit"], found["label_limits"]) == (None, [EU])
    assert answer(api.post(here, {"label_limits": []}))["label_limits"] == []
    # The next version of the plan starts with what this one has.
    answer(api.post(here, {"limit": 5}))
    plan = answer(api.put("/price_plans/pro", {"base_price": 100}))
    assert plan["metered_components"][0]["limit"] == 5


def test_limits_for_labels(api: Api, subscribed) -> None:
    subscribed(label_limits=[EU, EACH, ANY])
    use(api, 20, region="eu")
    use(api, 30, region="us")
    look()
    named = {(threshold, labels["region"]) for threshold, _, labels in told()}
    # ``eu`` is named, and is one of each.
    assert {t for t, region in named if region == "any"} == {50, 70, 90, 100}
    assert {t for t, region in named if region == "eu"} == {50}
    assert {t for t, region in named if region == "us"} == {50, 70}


def test_a_level_comes_to_more_by_time_alone(api: Api, subscribed, vendor) -> None:
    """1 GB held from the 2nd on comes to 84 GB-hours by now, and to 168 of 200 three and a half days later."""
    subscribed("disk", limit=168)
    use(api, 1, meter="disk")
    look()
    assert [threshold for threshold, *_ in told()] == [50]
    clock.move_forward(vendor, NOW + timedelta(days=3, hours=12), actor=SCHEDULE, real_now=timezone.now())
    for _ in range(50):
        if not clock.drive(vendor.pk, real_now=timezone.now()):
            break
    assert [threshold for threshold, *_ in told()] == [50, 70, 90, 100]


def test_many_customers_cost_the_statements_of_one(api: Api, subscribed, vendor, django_assert_max_num_queries) -> None:
    subscribed(limit=10, label_limits=[EACH])
    for number in range(5):
        name = CustomerFactory(vendor=vendor, name=f"c-{number}", currency="USD").name
        start = {"price_plan_name": "pro", "effective_at": "2026-03-01T00:00:00Z"}
        answer(api.post(f"/customers/{name}/subscriptions", start))
        use(api, 6, customer_name=name)
    fold_usage()
    with django_assert_max_num_queries(17):
        usage_limits.check_limits(real_now=timezone.now())
    assert told() == [(50, 10, {})] * 5


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": -1}, "limit"),
        ({"limit": "much"}, "limit"),
        ({"limits": 5}, "limits"),
        ({"label_limits": [{"labels": {"colour": "red"}, "limit": 5}]}, "label_limits.0.labels.colour"),
        ({"label_limits": [EU, EU]}, "label_limits.1"),
        ({"limit": 5, "label_limits": [{"labels": {}, "limit": 6}]}, "label_limits.0"),
        ({"label_limits": [{"labels": {"region": "eu"}}]}, "label_limits.0.limit"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_changes(api: Api, subscribed, limits, field) -> None:
    here = subscribed(limit=100)
    assert field in refusal(api.post(here, limits), 422)
    assert MeteredComponent.objects.get().limit == Decimal(100)


def test_another_vendors_component_does_not_exist(stranger: Api, subscribed) -> None:
    refusal(stranger.post(subscribed(), {"limit": 5}), 404)
    refusal(stranger.post("/price_plans/metered_components/nonsense/update_limits", {"limit": 5}), 404)
