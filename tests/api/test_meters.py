"""What becomes of measurements: events that several meters take, filters, archived meters, the newest that came."""

from __future__ import annotations

from typing import Any

import pytest

from invoicing.models import UnattributedMeasurement
from tests.api.client import Api, answer, refusal
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def acme(vendor) -> None:
    CustomerFactory.create(vendor=vendor, name="acme")


def send(api: Api, day: int, value: float, **fields: Any) -> None:
    item = {"customer_name": "acme", "value": value, "time": f"2026-03-{day:02}T10:00:00Z", **fields}
    answer(api.post("/measurements", item))


def used(api: Api, meter: str) -> float:
    query = {"meter_name": meter, "start_time": "2026-03-01T00:00:00Z", "end_time": "2026-04-01T00:00:00Z"}
    found: float = answer(api.get("/customers/acme/usage", query))["usage"]
    return found


def test_an_event_counts_on_every_meter_that_takes_it_and_whose_filter_lets_it_pass(api: Api) -> None:
    errors = {"filters": [{"filter": {"key": "status", "operation": "EQUALS", "value": "500"}}], "is_expression": True}
    not_eu = {"filter": {"key": "region", "operation": "EQUALS", "value": "eu"}, "not_filter": True}
    meters: dict[str, dict[str, Any]] = {
        "requests": {"aggregation": "COUNT"},
        "bytes": {},
        "errors": {"aggregation": "COUNT", "event_label_filter": errors},
        "elsewhere": {"event_label_filter": not_eu},
    }
    for name, fields in meters.items():
        answer(api.post("/meters", {"name": name, "event_name": "http", **fields}))
    send(api, 1, 10, event_name="http", labels={"status": "200", "region": "eu"})
    send(api, 2, 20, event_name="http", labels={"status": "500", "region": "us"})
    send(api, 3, 40, event_name="http")
    send(api, 4, 100, meter_name="bytes", labels={"region": "eu"})
    assert {name: used(api, name) for name in meters} == {
        "requests": 3, "bytes": 170, "errors": 1, "elsewhere": 60
    }  # fmt: skip
    newest = answer(api.get("/live_measurements"))
    assert sorted((row["meter_name"], row["value"]) for row in newest) == sorted(
        [("requests", 10), ("bytes", 10), ("requests", 20), ("bytes", 20), ("errors", 20), ("elsewhere", 20)]
        + [("requests", 40), ("bytes", 40), ("elsewhere", 40), ("bytes", 100)]
    )
    assert newest[0]["value"] == 100
    answer(api.post("/meters", {"name": "hosts", "event_name": "http"}))
    other = {"name": "by_host", "event_name": "http", "primary_labels": ["host"]}
    assert list(refusal(api.post("/meters", other), 422)) == ["primary_labels"]


def test_an_archived_meter_keeps_what_it_has_and_takes_the_rest_when_it_returns(api: Api) -> None:
    for name, event in (("calls", "calls"), ("logins", "login"), ("visits", "login")):
        answer(api.post("/meters", {"name": name, "event_name": event}))
    send(api, 1, 5, meter_name="calls")
    for name in ("calls", "logins"):
        answer(api.post(f"/meters/{name}/archive"))
    send(api, 2, 7, meter_name="calls")
    send(api, 2, 11, event_name="login")
    assert (used(api, "calls"), used(api, "logins"), used(api, "visits")) == (5, 0, 11)
    waiting = UnattributedMeasurement.objects.get()
    assert (waiting.meter_name, waiting.reason) == ("calls", "no_meter")
    for _ in range(2):
        assert answer(api.post("/meters/calls/unarchive"))["name"] == "calls"
    assert used(api, "calls") == 12
    assert not UnattributedMeasurement.objects.exists()
    refusal(api.post("/meters/nothing/unarchive"), 404)


def test_an_archived_meter_does_not_return_beside_others_with_other_labels(api: Api) -> None:
    answer(api.post("/meters", {"name": "old", "event_name": "http"}))
    answer(api.post("/meters/old/archive"))
    answer(api.post("/meters", {"name": "new", "event_name": "http", "primary_labels": ["host"]}))
    assert refusal(api.post("/meters/old/unarchive"), 409) == {"kind": "conflict"}
    assert answer(api.get("/meters"))[0]["name"] == "new"
