"""What holds for the body of every operation: camelCase is understood, unknown fields are refused by name."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from billing_portal.api.examples import BODIES
from billing_portal.api.parsers import FREE_FORM
from tests.api.client import Api, answer, refusal
from tests.api.many import fill
from tests.api.test_two_vendors import Ids, filled, ids_of
from tests.contract.served_schema import operations

WITH_BODY = {
    operation["operationId"]: (method, path.removeprefix("/api/v1"))
    for (method, path), operation in operations().items()
    if "application/json" in operation.get("requestBody", {}).get("content", {})
}


@pytest.fixture
def mine(api: Api) -> Ids:
    fill(api.vendor, 2)
    return ids_of(api)


def camel(value: Any) -> Any:
    """As the Node library would write it; keys of the caller's own maps stay."""
    if isinstance(value, list):
        return [camel(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {_camel(name): inner if name in FREE_FORM else camel(inner) for name, inner in value.items()}


def _camel(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)


def test_camel_case_is_understood_and_the_unknown_refused_by_name_everywhere(api: Api, mine: Ids) -> None:
    for name, (method, path) in WITH_BODY.items():
        body = camel(BODIES[name])
        (body[0] if isinstance(body, list) else body)["someSurprise"] = 1
        errors = refusal(getattr(api, method)(filled(path, mine), body), 422)
        unknown = [
            field for field, texts in errors.items() if texts[0].startswith(("Unknown field", "There is no such"))
        ]
        assert [field.rpartition(".")[2] for field in unknown] == ["some_surprise"], f"{name}: {errors}"


def test_the_examples_lead_from_a_meter_to_usage(api: Api) -> None:
    """Sent one after the other, in camelCase, as the page shows them in snake_case."""
    for name in ("create_meter", "create_price_plan", "create_customer", "create_measurement_mapping", "add_discounts"):
        method, path = WITH_BODY[name]
        answer(getattr(api, method)(path.replace("{name}", "acme"), camel(BODIES[name])))
    sent = answer(api.post("/measurements", camel(BODIES["send_measurement"])))
    assert (sent["customer_name"], sent["value"]) == ("acme", 3)
    answer(api.post("/measurements/multi", camel(BODIES["send_measurements"])))
    assert len(answer(api.get("/live_measurements", {"customerName": "acme"}))) == 2


@pytest.mark.parametrize("where", ["query", "body"])
def test_what_ends_a_subscription_may_stand_in_the_body_of_a_delete(api: Api, where: str) -> None:
    for name in ("create_meter", "create_price_plan", "create_customer"):
        answer(api.post(WITH_BODY[name][1], BODIES[name]))
    if where == "body":
        answer(api.delete("/customers/acme/subscription", {"atCycleEnd": True}))
    else:
        address, headers = "/api/v1/customers/acme/subscription?atCycleEnd=true", api._headers(None)
        answer(api.http.delete(address, headers=headers))
    active = answer(api.get("/customers/acme/active_subscription"))
    assert active["expired_at"] == active["current_billing_cycle"]["cycle_end"]


def test_a_body_on_a_get_does_no_harm(api: Api) -> None:
    headers = api._headers(None)
    for path, code in (("/api/v1/meters", 200), ("/api/v1/credits/grant/", 501)):
        body = json.dumps({"customer_name": "acme"})
        response = api.http.generic("GET", path, body, content_type="application/json", headers=headers)
        assert response.status_code == code
