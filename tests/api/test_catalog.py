"""/meters and /price_plans."""

import pytest

from invoicing.models import Meter, PricePlan
from tests.api.client import Api, answer, refusal
from tests.factories import MeterFactory, SubscriptionFactory

CALLS = {"meter_name": "calls", "display_name": "API calls"}
FLAT = {"scheme_type": "FLAT", "prices": [{"price": 0.035}]}
PRO = {"name": "pro", "base_price": 9900, "metered_components": [{**CALLS, "price_scheme": FLAT}]}


@pytest.fixture
def meter(vendor):
    return MeterFactory(vendor=vendor, name="calls", display_name="Calls", unit_name="call")


def test_creating_a_meter(api: Api) -> None:
    body = answer(api.post("/meters/", {"name": "calls", "meter_type": "COUNTER", "primary_labels": ["region"]}))
    assert body == {
        "name": "calls",
        "display_name": "calls",
        "description": None,
        "unit_name": None,
        "event_name": "calls",
        "meter_type": "COUNTER",
        "is_incremental": True,
        "data_type": "DISCRETE",
        "reporting_method": "DELTA",
        "aggregation": "SUM",
        "primary_labels": ["region"],
        "expected_labels": [],
        "event_label_filter": None,
    }
    assert answer(api.get("/meters/calls")) == body
    assert answer(api.get("/meters")) == [body]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "calls", "meter_type": "THERMOMETER"}, "meter_type"),
        ({"name": "calls", "metertype": "COUNTER"}, "metertype"),
        ({"name": "calls", "primary_labels": "region"}, "primary_labels"),
        ({"name": "x" * 129}, "name"),
        ({"name": "calls", "event_label_filter": {"filter": {}}}, "event_label_filter.filter.key"),
        ([1, 2], "body"),
    ],
)
def test_a_wrong_meter_is_named_and_not_made(api: Api, body, field) -> None:
    assert list(refusal(api.post("/meters", body), 422)) == [field]
    assert not Meter.objects.exists()


@pytest.mark.usefixtures("meter")
def test_a_meters_texts_change_and_nothing_else(api: Api) -> None:
    body = answer(api.put("/meters/calls", {"display_name": "Requests", "description": "All of them"}))
    assert (body["display_name"], body["description"]) == ("Requests", "All of them")
    assert answer(api.put("/meters/calls", body)) == body
    assert list(refusal(api.put("/meters/calls", {"aggregation": "MAX"}), 422)) == ["aggregation"]


@pytest.mark.usefixtures("meter")
def test_a_meter_is_deleted_or_archived(api: Api, vendor) -> None:
    MeterFactory(vendor=vendor, name="spare")
    assert answer(api.delete("/meters/spare")) == {}
    refusal(api.get("/meters/spare"), 404)
    assert answer(api.post("/meters/calls/archive")) == {}
    assert answer(api.get("/meters")) == []


@pytest.mark.usefixtures("meter")
def test_a_meter_in_a_plan_stays(api: Api) -> None:
    answer(api.post("/price_plans", PRO))
    assert refusal(api.delete("/meters/calls"), 409) == {"kind": "conflict"}
    assert refusal(api.post("/meters/calls/archive"), 409) == {"kind": "conflict"}


@pytest.mark.usefixtures("meter")
def test_creating_a_price_plan(api: Api) -> None:
    body = answer(api.post("/price_plans/", {**PRO, "tags": ["beta"]}))
    [component] = body["metered_components"]
    assert (body["name"], body["base_price"], body["period"], body["currency"]) == ("pro", 9900, "month", "USD")
    assert body["tags"] == [{"tag": "beta"}]
    assert (component["meter_name"], component["meter_display_name"], component["display_name"]) == (
        "calls", "Calls", "API calls"
    )  # fmt: skip
    assert component["price_scheme"]["scheme_type"] == "FLAT"
    assert component["price_scheme"]["prices"] == [{"price": 0.035}]
    assert answer(api.get("/price_plans/pro")) == body
    assert answer(api.get("/price_plans/pro/beta")) == body
    assert answer(api.get("/price_plans")) == [body]
    refusal(api.get("/price_plans/pro/gamma"), 404)


def test_a_plan_naming_a_missing_meter_is_refused(api: Api) -> None:
    assert list(refusal(api.post("/price_plans", PRO), 422)) == ["metered_components.0.meter_name"]
    assert not PricePlan.objects.exists()


@pytest.mark.usefixtures("meter")
@pytest.mark.parametrize(
    ("scheme", "field"),
    [
        ({"scheme_type": "FLAT", "prices": [{"price": "seven"}]}, "prices.0.price"),
        ({"scheme_type": "FLAT", "prices": [{"cost": 7}]}, "prices.0.cost"),
        ({"scheme_type": "FLAT", "prices": {"price": 7}}, "prices"),
        ({"scheme_type": "LUMPY", "prices": [{"price": 7}]}, "scheme_type"),
    ],
)
def test_a_wrong_price_is_named(api: Api, scheme, field) -> None:
    body = {**PRO, "metered_components": [{**CALLS, "price_scheme": scheme}]}
    assert list(refusal(api.post("/price_plans", body), 422)) == [f"metered_components.0.price_scheme.{field}"]


@pytest.mark.usefixtures("meter")
def test_what_was_answered_can_be_sent_back(api: Api) -> None:
    first = answer(api.post("/price_plans", PRO))
    second = answer(api.put("/price_plans/pro", first))
    assert (second["version"], second["metered_components"][0]["price_scheme"]) == (
        2, first["metered_components"][0]["price_scheme"]
    )  # fmt: skip
    assert second["external_uuid"] != first["external_uuid"]


@pytest.mark.usefixtures("meter")
def test_a_plan_goes_only_without_subscribers(api: Api, vendor) -> None:
    answer(api.post("/price_plans", PRO))
    SubscriptionFactory(customer__vendor=vendor, price_plan=PricePlan.objects.get())
    refusal(api.delete("/price_plans/pro"), 409)
    refusal(api.post("/price_plans/pro/archive"), 409)
    answer(api.post("/price_plans", {"name": "spare"}))
    assert answer(api.delete("/price_plans/spare/")) == {}
    refusal(api.get("/price_plans/spare"), 404)


@pytest.mark.usefixtures("meter")
def test_strangers_see_nothing(api: Api, stranger: Api) -> None:
    answer(api.post("/price_plans", PRO))
    assert answer(stranger.get("/meters")) == answer(stranger.get("/price_plans")) == []
    for path in ("/meters/calls", "/price_plans/pro"):
        refusal(stranger.get(path), 404)
        refusal(stranger.put(path, {"display_name": "Mine"}), 404)
        refusal(stranger.delete(path), 404)


def test_price_plans_by_pages_newest_first(api: Api) -> None:
    for name in ("a", "b", "c"):
        api.post("/price_plans", {"name": name, "period": "month"})
    query = {"sort_column": "created_at", "sort_direction": "desc", "limit": 2}
    first = answer(api.get("/price_plans/paginate", query))
    assert [plan["name"] for plan in first["price_plans"]] == ["c", "b"]
    offsets = {name: value for name, value in first.items() if name.startswith("forward")}
    last = answer(api.get("/price_plans/paginate", query | offsets))
    assert [plan["name"] for plan in last["price_plans"]] == ["a"]
    assert last["forward_sort_offset"] is None
    wrong = query | offsets | {"forward_sort_offset": "b"}
    assert list(refusal(api.get("/price_plans/paginate", wrong), 422)) == ["forward_sort_offset"]
