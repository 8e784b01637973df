"""Add-ons, trials and base prices for several cycles over the API."""

import pytest

from tests.api.client import Api, answer, refusal
from tests.factories import CustomerFactory

SEATS_FEATURE = {"name": "seats", "display_name": "Seats"}
SEATS = {
    "feature": {"name": "seats", "display_name": "Seats"},
    "price_scheme_type": "TIERED",
    "prices": [{"price": 1000, "cap": 5}, {"price": 800}],
    "quantity_enabled": True,
    "limit": 10,
}
SETUP = {"feature": {"name": "setup"}, "price": 5000, "single_use": True}
PLAN = {"name": "pro", "base_price": 9_900, "add_ons": [SEATS], "base_price_frequency": 12}


@pytest.fixture
def plan(api: Api, vendor):
    CustomerFactory(vendor=vendor, name="acme", currency="USD")
    return answer(api.post("/price_plans", PLAN))


def test_a_plans_add_ons_are_read_back_and_go_on_into_its_next_version(api: Api, plan):
    [seats] = plan["add_ons"]
    assert seats.pop("external_uuid")
    assert seats == {
        **SEATS,
        "feature": {**SEATS_FEATURE, "description": None},
        "price": 1000,
        "single_use": False,
        "immediately_charge": False,
        "price_frequency": 1,
        "charge_frequency": 1,
    }
    setup = {**SETUP, "immediately_charge": True}
    added = answer(api.post(f"/price_plans/{plan['external_uuid']}/add_add_ons", {"add_ons": [setup]}))
    assert [(one["feature"]["name"], one["price"]) for one in added["add_ons"]] == [("seats", 1000), ("setup", 5000)]
    assert [one["immediately_charge"] for one in added["add_ons"]] == [False, True]
    newer = answer(
        api.put("/price_plans/pro", {"base_price": 1, "trial": {"time_length": 2, "time_unit_name": "week"}})
    )
    assert [one["feature"]["name"] for one in newer["add_ons"]] == ["seats", "setup"]
    assert newer["trial"] == {"time_length": 2, "time_unit_name": "week", "credit": None}
    assert newer["base_price_frequency"] == 12
    problem = refusal(api.post(f"/price_plans/{plan['external_uuid']}/add_add_ons", {"add_ons": [SETUP]}), 422)
    assert problem == {"add_ons.0.feature.name": ["The plan has an add-on 'setup' already."]}


def test_a_customer_takes_add_ons_and_gives_some_back(api: Api, plan):
    ordered = {"price_plan_name": "pro", "add_ons": [{"name": "seats", "quantity": 4}]}
    made = answer(api.post("/customers/acme/subscriptions", ordered))
    assert [(one["add_on"]["feature"]["name"], one["quantity"], one["price"]) for one in made["add_ons"]] == [
        ("seats", 4, None)
    ]
    answer(api.post("/customers/acme/subscription/add_ons", [{"feature_name": "seats", "quantity": 3}]))
    leaving = [{"feature_name": "seats", "quantity": -1, "at_cycle_end": True}]
    answer(api.post("/customers/acme/subscription/add_ons", leaving))
    active = answer(api.get("/customers/acme/active_subscription"))
    assert [one["quantity"] for one in active["add_ons"]] == [6]
    assert active["total_fixed_price"] == 9_900 + 5_000 + 1_600
    feature = answer(api.get("/customers/acme/features/seats"))
    assert (feature["enabled"], feature["quantity"]) == (True, 7)
    many = [{"feature_name": "seats", "quantity": 1}, {"feature_name": "seats", "quantity": 40}]
    problem = refusal(api.post("/customers/acme/subscription/add_ons", many), 422)
    assert list(problem) == ["1.quantity"]
    assert answer(api.get("/customers/acme/features/seats"))["quantity"] == 7


def test_a_trial_of_ones_own(api: Api, plan):
    trial = {"time_length": 10, "time_unit_name": "day"}
    ordered = {"price_plan_name": "pro", "effective_at": "2026-01-01T00:00:00Z", "trial_override": trial}
    made = answer(api.post("/customers/acme/subscriptions", ordered))
    assert made["trial_ends_at"] == "2026-01-11T00:00:00Z"
    wrong = {**ordered, "trial_override": {"time_length": 1, "time_unit_name": "aeon"}}
    assert list(refusal(api.post("/customers/acme/subscriptions", wrong), 422)) == ["trial_override.time_unit_name"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"base_price_frequency": 0}, "base_price_frequency"),
        ({"trial": {"credit": -5}}, "trial.credit"),
        ({"add_ons": [{**SETUP, "price_scheme_type": "VOLUME"}]}, "add_ons.0.price_scheme_type"),
        ({"add_ons": [{**SETUP, "price_frequency": 3}]}, "add_ons.0.price_frequency"),
        ({"add_ons": [{**SETUP, "charge_frequency": 3}]}, "add_ons.0.charge_frequency"),
        ({"add_ons": [{**SEATS, "price_frequency": 12, "charge_frequency": 3}]}, "add_ons.0.charge_frequency"),
        ({"add_ons": [SETUP, SETUP]}, "add_ons.1.feature.name"),
    ],
)
def test_what_is_refused(api: Api, given, field):
    assert list(refusal(api.post("/price_plans", {"name": "p", **given}), 422)) == [field]
