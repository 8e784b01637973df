"""The vendor's own example shops, over the API: what their customers are billed, to the cent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone

from tests.api.client import Api, answer
from tests.billing import bill_until

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
CYCLE_END = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def in_march(vendor) -> None:
    vendor.clock_offset = NOW - timezone.now()
    vendor.save()


def plan(api: Api, name: str, *components: tuple[str, Any], **fields: Any) -> None:
    parts = [{"meter_name": meter, "price_scheme": scheme} for meter, scheme in components]
    answer(api.post("/price_plans", {"name": name, **fields, "metered_components": parts}))


def customer(api: Api, name: str, plan_name: str, **fields: Any) -> None:
    answer(api.post("/customers", {"name": name, **fields}))
    subscribing = {"price_plan_name": plan_name, "effective_at": "2026-03-01T00:00:00Z"}
    answer(api.post(f"/customers/{name}/subscriptions", subscribing))


def send(api: Api, *measured: dict[str, Any]) -> None:
    answer(
        api.post("/measurements/multi", [{"time": f"2026-03-0{i + 1}T10:00:00Z", **m} for i, m in enumerate(measured)])
    )


def flat(price: float, **fields: Any) -> dict[str, Any]:
    return {"scheme_type": "FLAT", "prices": [{"price": price}], **fields}


def billed(name: str) -> list[tuple[str, int]]:
    [invoice] = [one for one in bill_until(CYCLE_END) if one.customer.name == name]
    return [(line.name, line.amount) for line in invoice.line_items.all()]


def test_machines_are_whose_label_says_so(api: Api) -> None:
    """A counter of machine hours that knows no customers: the label does. $0.012 an hour for small machines."""
    answer(api.post("/meters", {"name": "machine_hours", "primary_labels": ["machine"], "unit_name": "hour"}))
    plan(api, "compute", ("machine_hours", flat(1.2)))
    customer(api, "acme", "compute", measurement_mappings=[{"label": "machine", "value_regex": "acme-.*"}])
    customer(api, "globex", "compute", measurement_mappings=[{"label": "machine", "value_regex": "globex"}])
    send(
        api,
        {"meter_name": "machine_hours", "value": 100, "labels": {"machine": "acme-1"}},
        {"meter_name": "machine_hours", "value": 50.5, "labels": {"machine": "acme-2"}},
        {"meter_name": "machine_hours", "value": 7, "labels": {"machine": "globex"}},
        {"meter_name": "machine_hours", "value": 900, "labels": {"machine": "globex-9"}},
    )
    assert billed("acme") == [("machine_hours", 181)]
    assert billed("globex") == [("machine_hours", 8)]


def test_hours_that_were_booked_are_taken_back(api: Api) -> None:
    """A yoga studio sells hours; a cancelled one is sent as minus one. $20 an hour up to five, then $15."""
    answer(api.post("/meters", {"name": "hours", "display_name": "Class hours"}))
    tiers = {"scheme_type": "TIERED", "prices": [{"price": 2000, "cap": 5}, {"price": 1500}]}
    plan(api, "studio", ("hours", tiers), base_price=1_000, display_name="Studio")
    for name in ("mia", "noa"):
        customer(api, name, "studio")
    send(api, *({"meter_name": "hours", "customer_name": "mia", "value": value} for value in (4, 3, -1)))
    send(api, *({"meter_name": "hours", "customer_name": "noa", "value": value} for value in (1, -2)))
    assert billed("mia") == [("Studio", 1_000), ("Class hours", 11_500)]
    assert billed("noa") == [("Studio", 1_000), ("Class hours", 0)]


def test_an_event_counts_on_two_meters(api: Api) -> None:
    """Each request is counted, and its bytes are added up: $0.50 for 1,000 requests, $0.09 a GB."""
    answer(api.post("/meters", {"name": "requests", "event_name": "request", "aggregation": "COUNT"}))
    answer(api.post("/meters", {"name": "traffic", "event_name": "request", "unit_name": "GB"}))
    plan(api, "cdn", ("requests", flat(50, batch_size=1_000)), ("traffic", flat(9)))
    customer(api, "acme", "cdn")
    send(api, *({"event_name": "request", "customer_name": "acme", "value": gb} for gb in (12.5, 100, 0.25)))
    assert billed("acme") == [("requests", 0), ("traffic", 1_015)]
