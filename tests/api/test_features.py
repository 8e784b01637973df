"""Features and limits of plans, and changes that all subscribers of a version have at once."""

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from tests.api.client import Api, answer, refusal
from tests.billing import bill_until
from tests.factories import CustomerFactory

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
SSO = {"name": "sso", "display_name": "Single sign-on", "description": "SAML"}
SEATS = {"feature": {"name": "seats"}, "limit": 25}
FLAT = {"scheme_type": "FLAT", "prices": [{"price": 7}]}
PLAN = {"name": "pro", "base_price": 9_900, "features": [SSO], "limits": [SEATS], "tags": ["current"]}


@pytest.fixture(autouse=True)
def plan(api: Api, vendor):
    vendor.clock_offset = NOW - timezone.now()
    vendor.save()
    answer(api.post("/meters", {"name": "calls"}))
    made = answer(api.post("/price_plans", PLAN))
    CustomerFactory(vendor=vendor, name="acme", currency="USD")
    subscribing = {"price_plan_name": "pro", "effective_at": "2026-03-01T00:00:00Z"}
    answer(api.post("/customers/acme/subscriptions", subscribing))
    return made


def names(features):
    return [feature["name"] for feature in features]


def feature(api: Api, name):
    found = answer(api.get(f"/customers/acme/features/{name}"))
    return found["enabled"], found["limit"]


def test_a_customer_has_what_the_plan_says(api: Api, plan, stranger: Api) -> None:
    assert plan["features"][0] == SSO
    assert names(plan["features"]) == ["sso", "seats"]
    assert [(one["feature"]["name"], one["limit"]) for one in plan["limits"]] == [("seats", 25)]
    assert [feature(api, name) for name in ("sso", "seats", "gold")] == [(True, None), (True, 25), (False, None)]
    assert names(answer(api.get("/features"))) == ["seats", "sso"]
    assert answer(stranger.get("/features")) == []


def test_the_next_version_keeps_them_until_they_are_given_anew(api: Api, plan) -> None:
    kept = answer(api.put("/price_plans/pro", {"base_price": 5_000}))
    assert (kept["features"], kept["limits"]) == (plan["features"], plan["limits"])
    anew = answer(api.put("/price_plans/pro", {"features": [{"name": "seats"}]}))
    assert (names(anew["features"]), len(anew["limits"])) == (["seats"], 1)
    none = answer(api.put("/price_plans/pro", {"features": []}))
    assert (none["features"], none["limits"]) == ([], [])
    # Acme stays on the first version.
    assert feature(api, "sso") == (True, None)


def test_in_place_for_all_subscribers_at_once(api: Api, plan) -> None:
    here = f"/price_plans/{plan['external_uuid']}"
    answer(api.post(f"{here}/add_features", {"features": [{"name": "audit"}], "limits": [{**SEATS, "limit": 50}]}))
    assert (feature(api, "audit"), feature(api, "seats")) == ((True, None), (True, 50))
    answer(api.post(f"{here}/remove_features", {"feature_names": ["seats"]}))
    assert (feature(api, "seats"), feature(api, "sso")) == ((False, None), (True, None))
    changes = {"display_name": "Professional", "base_price_description": "Platform", "features": [{"name": "gold"}]}
    changed = answer(api.post("/price_plans/update_in_place/pro/current", changes))
    assert (changed["version"], changed["display_name"], names(changed["features"])) == (
        1,
        "Professional",
        ["sso", "audit", "gold"],
    )


def test_a_component_added_in_place_is_on_the_running_cycles_invoice(api: Api, plan) -> None:
    here = f"/price_plans/{plan['external_uuid']}/add_metered_components"
    added = answer(api.post(here, {"metered_components": [{"meter_name": "calls", "price_scheme": FLAT}]}))
    assert added["version"] == 1
    used = {"meter_name": "calls", "customer_name": "acme", "value": 10, "time": "2026-03-02T00:00:00Z"}
    answer(api.post("/measurements", used))
    [invoice] = bill_until(datetime(2026, 4, 2, tzinfo=UTC))
    assert [line.amount for line in invoice.line_items.all()] == [9_900, 70]
    again = api.post(
        "/price_plans/update_in_place/pro", {"metered_components": [{"meter_name": "calls", "price_scheme": FLAT}]}
    )
    assert "new version" in refusal(again, 422)["metered_components.0.meter_name"][0]


def test_discounts_and_a_coupon_in_place(api: Api) -> None:
    tenth = {"discount_type": "PERCENT", "discount_amount": 10}
    answer(api.post("/coupons", {"name": "spring", "frequency": "ONCE", **tenth}))
    here = "/customers/acme/subscription/update_in_place"
    given = {"discounts": [{"discount_type": "FLAT", "amount": 100}], "coupon_override_name": "spring"}
    before = answer(api.get("/customers/acme/active_subscription"))["uuid"]
    found = answer(api.put(here, given))
    assert (found["uuid"], [one["coupon_name"] for one in found["discounts"]]) == (before, [None, "spring"])
    # The coupon is used up for Acme: nothing of this is done.
    answer(api.put(here, given), 409)
    assert len(answer(api.get("/customers/acme/active_subscription"))["discounts"]) == 2


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"features": [{"name": "a"}, {"name": "a"}]}, "features.1"),
        ({"features": [{"name": "a/b"}]}, "features.0.name"),
        ({"limits": [{**SEATS, "limit": -1}]}, "limits.0.limit"),
        ({"limits": [SEATS, SEATS]}, "limits.1"),
        ({"features": [{"display_name": "Nameless"}]}, "features.0.name"),
        ({"features": [{"name": "a", "price": 5}]}, "features.0.price"),
    ],
)
def test_what_is_wrong_is_named(api: Api, changes, field) -> None:
    assert field in refusal(api.post("/price_plans", {"name": "other", **changes}), 422)


def test_in_place_refusals(api: Api, plan, stranger: Api) -> None:
    here = f"/price_plans/{plan['external_uuid']}"
    assert "feature_names" in refusal(api.post(f"{here}/remove_features", {"feature_names": ["gold"]}), 422)
    refusal(stranger.post(f"{here}/remove_features", {"feature_names": ["sso"]}), 404)
    refusal(api.post("/price_plans/nonsense/add_features", {"features": [SSO]}), 404)
    assert "base_price" in refusal(api.post("/price_plans/update_in_place/pro", {"base_price": 1}), 422)
    free = {"add_ons": [{"feature": SSO}]}
    assert "add_ons.0.prices" in refusal(api.post("/price_plans/update_in_place/pro", free), 422)


def test_a_subscription_has_features_and_limits_of_its_own(api: Api, plan) -> None:
    given = {
        "price_plan_name": "pro",
        "at_cycle_end": True,
        "features_override": [{"name": "audit", "description": "For Acme"}],
        "limits_override": [{**SEATS, "limit": 80}],
    }
    changed = answer(api.put("/customers/acme/subscription", given))
    assert names(changed["features_override"]) == ["audit", "seats"]
    assert [one["limit"] for one in changed["limits_override"]] == [80]
    # Until then the plan's hold.
    assert (feature(api, "audit"), feature(api, "seats")) == ((False, None), (True, 25))
    answer(api.put("/customers/acme/subscription", {**given, "at_cycle_end": False}), 409)


def test_what_a_subscription_says_wins_over_its_plan(api: Api, vendor) -> None:
    CustomerFactory(vendor=vendor, name="globex", currency="USD")
    given = {"price_plan_name": "pro", "limits_override": [{**SEATS, "limit": 80}]}
    answer(api.post("/customers/globex/subscriptions", given))
    found = answer(api.get("/customers/globex/features/seats"))
    assert (found["enabled"], found["limit"]) == (True, 80)
    assert answer(api.get("/customers/globex/features/sso"))["enabled"]
    wrong = {**given, "features_override": [{"name": "a"}, {"name": "a"}]}
    assert "features_override.1" in refusal(api.post("/customers/acme/subscriptions", wrong), 422)
