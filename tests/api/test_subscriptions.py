"""A customer's subscriptions."""

from datetime import datetime, timedelta

import pytest

from invoicing.models import Subscription
from tests.api.client import Api, answer, refusal
from tests.factories import CustomerFactory, PricePlanFactory

HERE = "/customers/acme"


@pytest.fixture(autouse=True)
def customer(vendor):
    PricePlanFactory(vendor=vendor, name="pro", display_name="Pro", tags=["beta"])
    PricePlanFactory(vendor=vendor, name="max", base_price=19900)
    return CustomerFactory(vendor=vendor, name="acme")


def subscribe(api: Api, **body):
    return api.post(f"{HERE}/subscriptions", {"price_plan_name": "pro", **body})


def test_subscribing(api: Api) -> None:
    body = answer(subscribe(api, effective_at="2026-01-31T10:00:00"))
    assert (body["customer_name"], body["price_plan_name"], body["price_plan"]["display_name"]) == (
        "acme",
        "pro",
        "Pro",
    )
    assert (body["effective_at"], body["expired_at"]) == ("2026-01-31T10:00:00Z", None)
    assert (body["discounts"], body["add_ons"], body["align_to_calendar"]) == ([], [], False)
    assert answer(api.get(f"{HERE}/subscriptions/")) == [body]


def test_by_uuid_and_by_tag(api: Api, customer) -> None:
    plan = answer(api.get("/price_plans/pro"))
    body = answer(api.post(f"{HERE}/subscriptions", {"price_plan_uuid": plan["external_uuid"]}))
    assert body["price_plan_uuid"] == plan["external_uuid"]
    answer(api.delete(f"{HERE}/subscription"))
    assert answer(subscribe(api, price_plan_tag="beta"))["price_plan_uuid"] == plan["external_uuid"]


def test_the_active_subscription_has_its_cycle(api: Api) -> None:
    refusal(api.get(f"{HERE}/active_subscription"), 404)
    began = answer(subscribe(api))["effective_at"]
    body = answer(api.get(f"{HERE}/active_subscription"))
    cycle = body["current_billing_cycle"]
    assert cycle["cycle_start"] == began
    length = datetime.fromisoformat(cycle["cycle_end"]) - datetime.fromisoformat(cycle["cycle_start"])
    assert timedelta(days=27) < length < timedelta(days=32)
    assert (body["total_fixed_price"], body["discounted_fixed_price"]) == (9900, 9900)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"price_plan_name": "nothing"}, "price_plan_name"),
        ({"price_plan_tag": "gamma"}, "price_plan_tag"),
        ({"price_plan_name": None}, "price_plan_name"),
        ({"price_plan_name": None, "price_plan_uuid": "7"}, "price_plan_uuid"),
        ({"price_plan_name": None, "price_plan_uuid": "3a7cf9b4-27a8-4b1c-8f0e-54a4f6d90fd1"}, "price_plan_uuid"),
        ({"effective_at": "soon"}, "effective_at"),
        ({"effective_at": "1970-01-01T00:00:00Z"}, "effective_at"),
        ({"align": True}, "align"),
        ({"discounts": [{"discount_type": "FLAT"}]}, "discounts.0.amount"),
        ({"trial_override": {"time_length": 4000}}, "trial_override.time_length"),
        ({"trial_override": {"credit": -1}}, "trial_override.credit"),
    ],
)
def test_what_is_wrong_is_named(api: Api, body, field) -> None:
    assert list(refusal(subscribe(api, **body), 422)) == [field]
    assert not Subscription.objects.exists()


def test_overlap_is_a_conflict(api: Api) -> None:
    answer(subscribe(api))
    assert refusal(subscribe(api), 409) == {"kind": "subscription_overlap"}


def test_ending_now_and_at_the_cycles_end(api: Api) -> None:
    answer(subscribe(api))
    assert answer(api.delete(f"{HERE}/subscription", {"at_cycle_end": True})) == {}
    active = answer(api.get(f"{HERE}/active_subscription"))
    assert active["expired_at"] == active["current_billing_cycle"]["cycle_end"]
    assert answer(api.delete(f"{HERE}/subscription/")) == {}
    refusal(api.get(f"{HERE}/active_subscription"), 404)
    refusal(api.delete(f"{HERE}/subscription"), 404)


def test_ending_takes_query_parameters_too(api: Api) -> None:
    answer(subscribe(api))
    answer(api.delete(f"{HERE}/subscription?at_cycle_end=true"))
    assert answer(api.get(f"{HERE}/active_subscription"))["expired_at"] is not None


def test_ending_in_two_ways_is_refused(api: Api) -> None:
    answer(subscribe(api))
    both = {"at_cycle_end": True, "expire_at": "2030-01-01T00:00:00Z"}
    assert list(refusal(api.delete(f"{HERE}/subscription", both), 422)) == ["expire_at"]


def test_a_plan_changes_at_the_cycles_end(api: Api) -> None:
    answer(subscribe(api))
    body = answer(api.put(f"{HERE}/subscription", {"price_plan_name": "max", "at_cycle_end": True}))
    active = answer(api.get(f"{HERE}/active_subscription"))
    assert (active["price_plan_name"], active["expired_at"]) == ("pro", body["effective_at"])
    assert answer(api.get(f"{HERE}/scheduled_subscriptions")) == [body]


def test_a_plan_changes_now(api: Api) -> None:
    answer(subscribe(api))
    answer(api.put(f"{HERE}/subscription", {"price_plan_name": "max"}))
    assert answer(api.get(f"{HERE}/active_subscription"))["price_plan_name"] == "max"


def test_a_change_has_one_moment(api: Api) -> None:
    answer(subscribe(api))
    end, start, then = {"at_cycle_end": True}, {"at_cycle_start": True}, {"effective_at": "2030-01-01T00:00:00Z"}
    for moments, field in (
        ({**end, **start}, "at_cycle_end"),
        ({**end, **then}, "at_cycle_end"),
        ({**start, **then}, "at_cycle_start"),
    ):
        refused = api.put(f"{HERE}/subscription", {"price_plan_name": "max", **moments})
        assert list(refusal(refused, 422)) == [field]
        add_on = {"feature_name": "seats", "quantity": 1, **moments}
        refused = api.post(f"{HERE}/subscription/add_ons", [add_on])
        assert list(refusal(refused, 422)) == [f"0.{field}"]
    assert answer(api.get(f"{HERE}/active_subscription"))["price_plan_name"] == "pro"


def test_who_subscribes_has_the_latest_version_or_a_tags_and_who_is_subscribed_keeps_theirs(api: Api, vendor) -> None:
    answer(subscribe(api))
    newer = answer(api.put("/price_plans/pro", {"base_price": 12_000}))
    assert newer["version"] == 2
    for name, tagged in (("globex", {}), ("initech", {"price_plan_tag": "beta"})):
        CustomerFactory(vendor=vendor, name=name)
        answer(api.post(f"/customers/{name}/subscriptions", {"price_plan_name": "pro", **tagged}))

    def prices():
        found = [answer(api.get(f"/customers/{name}/active_subscription")) for name in ("acme", "globex", "initech")]
        return [one["total_fixed_price"] for one in found]

    assert prices() == [9_900, 12_000, 9_900]
    # A tag moves to the version that is given it; it takes nobody along.
    answer(api.put("/price_plans/pro", {"base_price": 15_000, "tags": ["beta"]}))
    assert answer(api.get("/price_plans/pro/beta"))["base_price"] == 15_000
    assert prices() == [9_900, 12_000, 9_900]


def test_strangers_find_no_customer(api: Api, stranger: Api) -> None:
    answer(subscribe(api))
    for path in ("subscriptions", "active_subscription", "scheduled_subscriptions"):
        refusal(stranger.get(f"{HERE}/{path}"), 404)
    refusal(stranger.delete(f"{HERE}/subscription"), 404)
    assert Subscription.objects.get().expired_at is None
