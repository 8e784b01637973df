"""The schema that is served is valid, complete, and what existing clients expect. (That it is true of every answer:
``test_schema.py``.)"""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.http import JsonResponse
from django.test import Client
from drf_spectacular.validation import validate_schema
from openapi_spec_validator import OpenAPIV31SpecValidator

from billing_portal.api import examples
from customers.settings.policy import SETTING_NAMES
from invoicing.usage.readings import FIELDS
from tests.api.client import answer
from tests.contract import octane_surface
from tests.contract.served_schema import check, operations, served, validator


def test_it_is_openapi_3_1() -> None:
    assert served()["openapi"].startswith("3.1")
    validate_schema(served())
    OpenAPIV31SpecValidator(served()).validate()


def test_it_is_served_to_everybody(client: Client) -> None:
    assert answer(client.get("/api/v1/openapi.json")) == served()


def test_every_operation_has_a_name_of_its_own_and_says_what_it_answers() -> None:
    found = operations().values()
    assert len({operation["operationId"] for operation in found}) == len(found)
    for operation in found:
        [success] = [said for code, said in operation["responses"].items() if code.startswith("2")]
        assert success["content"], operation["operationId"]
        assert {"400", "401", "429", "500"} <= set(operation["responses"])


def test_every_operation_needs_a_key_but_the_link_to_a_pdf() -> None:
    keys: list[dict[str, list[str]]] = [{"ApiKey": []}, {"ApiKeyInXAuthorization": []}]
    open_to_all = {operation["operationId"] for operation in operations().values() if operation["security"] != keys}
    assert open_to_all == {"get_invoice_pdf", "get_customer_invoice_pdf"}


def test_every_body_has_an_example_and_every_example_is_true() -> None:
    named = {operation["operationId"]: operation for operation in operations().values()}
    with_body = {name for name, operation in named.items() if "requestBody" in operation}
    assert with_body == set(examples.BODIES), "an example for each, in billing_portal/api/examples.py"
    for name, operation in named.items():
        success = next(said for code, said in operation["responses"].items() if code.startswith("2"))
        for place in (operation.get("requestBody", {}), success):
            content = place.get("content", {}).get("application/json")
            if content is not None:
                problems = [error.message for error in validator(content["schema"]).iter_errors(content["example"])]
                assert problems == [], name


def test_the_page_for_people_names_every_operation_and_needs_nothing_from_elsewhere(client: Client) -> None:
    response = client.get("/api/v1/docs/")
    assert response.status_code == 200
    page = response.content.decode()
    for (_, path), operation in operations().items():
        assert f'id="{operation["operationId"]}"' in page
        assert f"<code>{path}</code>" in page
    assert "<script" not in page
    assert " style=" not in page
    assert not re.search(r"(src|href)=\"(https?:)?//", page)
    assert "'unsafe-inline'" not in response["Content-Security-Policy"]


def test_measurements_are_documented_as_they_are_read() -> None:
    assert set(served()["components"]["schemas"]["MeasurementInput"]["properties"]) == FIELDS


def test_settings_are_documented_as_they_are_declared() -> None:
    schemas = served()["components"]["schemas"]
    assert set(SETTING_NAMES) <= set(schemas["BillingSettings"]["required"])
    assert set(SETTING_NAMES) <= set(schemas["BillingSettingsInput"]["properties"])


def test_what_existing_clients_send_and_read() -> None:
    assert len(octane_surface.served_twice()) >= 56
    assert list(octane_surface.differences()) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"status": "HEALTHY", "mood": "good"}, "mood"),
        ({"status": "SPLENDID"}, "SPLENDID"),
        ({"status": None}, "None"),
        ({}, "required"),
        ([], "not of type"),
    ],
)
def test_an_answer_that_differs_is_noticed(body: Any, problem: str) -> None:
    with pytest.raises(AssertionError, match=problem):
        check("GET", "/api/v1/customers/acme/status", JsonResponse(body, safe=False))


def test_a_status_that_is_not_documented_is_noticed() -> None:
    with pytest.raises(AssertionError, match="does not document 418"):
        check("GET", "/api/v1/customers", JsonResponse({}, status=418))
