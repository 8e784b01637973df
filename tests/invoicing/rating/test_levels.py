"""Levels that are billed by how long they held: the worked example of docs/rating.md, from measurements to lines."""

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from tests.api.client import Api, answer, refusal
from tests.api.conftest import api, vendor  # noqa: F401 - fixtures
from tests.billing import bill_until
from tests.factories import CustomerFactory

START = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def acme(api: Api, vendor):  # noqa: F811
    vendor.clock_offset = datetime(2026, 4, 20, tzinfo=UTC) - timezone.now()
    vendor.save()
    CustomerFactory(vendor=vendor, name="acme", currency="USD")
    answer(api.post("/meters", {"name": "storage", "meter_type": "GAUGE", "unit_name": "GB"}))
    for day, level in ((1, 10), (11, 20)):
        one = {"meter_name": "storage", "customer_name": "acme", "value": level, "time": f"2026-04-{day:02}T00:00:00Z"}
        answer(api.post("/measurements", one))


def billed(api: Api, **component):  # noqa: F811
    """The line of April, 10 GB for ten days and 20 GB for twenty."""
    plan = {"name": "disk", "metered_components": [{"meter_name": "storage", **component}]}
    answer(api.post("/price_plans", plan))
    answer(api.post("/customers/acme/subscriptions", {"price_plan_name": "disk", "effective_at": START.isoformat()}))
    [invoice] = bill_until(datetime(2026, 5, 2, tzinfo=UTC))
    [line] = invoice.line_items.all()
    return line


def scheme(price, unit, **others):
    return {"scheme_type": "FLAT", "prices": [{"price": price}], "time_unit_name": unit, **others}


@pytest.mark.parametrize(
    ("price", "unit", "amount", "description"),
    [
        (1_000, "month", 16_667, "16.666666666667 GB-months x $10.00"),
        (100, "day", 50_000, "500 GB-days x $1.00"),
        (1, "hour", 12_000, "12,000 GB-hours x $0.01"),
        (700, "week", 50_000, "71.428571428571 GB-weeks x $7.00"),
    ],
)
def test_a_level_costs_its_price_for_each_unit_and_time(api: Api, price, unit, amount, description) -> None:  # noqa: F811
    line = billed(api, price_scheme=scheme(price, unit))
    assert (line.amount, line.description) == (amount, description)


def test_a_watermark_is_what_of_the_level_costs_nothing(api: Api) -> None:  # noqa: F811
    line = billed(api, price_scheme=scheme(100, "day"), watermark=15)
    assert (line.amount, line.description) == (10_000, "100 GB-days x $1.00")
    assert line.metadata["watermark"] == "15"


def test_under_stairstep_the_latest_level_picks_the_step(api: Api) -> None:  # noqa: F811
    steps = {"scheme_type": "STAIRSTEP", "prices": [{"price": 500, "cap": 10}, {"price": 900, "cap": 20}]}
    line = billed(api, price_scheme=steps)
    assert (line.amount, line.description) == (900, "20 GB: up to 20 GB $9.00")


def test_the_time_that_a_price_is_for_is_asked_for(api: Api) -> None:  # noqa: F811
    def plan(unit):
        return {"name": "disk", "metered_components": [{"meter_name": "storage", "price_scheme": scheme(1, unit)}]}

    at = "metered_components.0.price_scheme.time_unit_name"
    assert refusal(api.post("/price_plans", plan(None)), 422)[at] == [
        "The usage of 'storage' is weighted by time: say what the price is for, one of hour, day, week, month."
    ]
    assert at in refusal(api.post("/price_plans", plan("fortnight")), 422)


def test_usage_by_time_in_unit_hours(api: Api) -> None:  # noqa: F811
    asked = {"meter_name": "storage", "start_time": "2026-04-10T00:00:00Z", "time_bucket": "day"}
    found = answer(api.post("/customers/acme/usage_by_time", asked))
    assert [row["usage"] for row in found["usage_by_time"]][:3] == [240, 480, 480]
    assert round(found["total_usage"]) == 240 + 9 * 480
    assert answer(api.get("/customers/acme/usage", {"meter_name": "storage", "start_time": asked["start_time"]})) == {
        "usage": 20
    }
    by_region = asked | {"label_group_by_keys": ["region"]}
    assert "label_group_by_keys" in refusal(api.post("/customers/acme/usage_by_time", by_region), 422)
