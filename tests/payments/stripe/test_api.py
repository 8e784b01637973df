"""The endpoints, as an integration sees them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.client import Api, refusal
from tests.factories import CustomerFactory
from tests.payments.stripe.conftest import Shop


@pytest.fixture
def api(shop: Shop) -> Api:
    return Api(shop.vendor)


def answer(response: Any) -> Any:
    assert response.status_code == 200, response.content
    return json.loads(response.content)


def test_link_and_read_back(shop: Shop, api: Api) -> None:
    customer = CustomerFactory.create(vendor=shop.vendor)
    path = f"/customers/{customer.name}/payment_gateway_credentials"
    made = shop.stripe.customers.create({"name": "Acme"})
    refusal(api.get(path), 404)
    said = {"payment_gateway": "STRIPE", "account_id": made.id, "auth_token": None}
    assert answer(api.post(path, {"account_id": made.id})) == said
    assert answer(api.get(path)) == said


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "account_id"),
        ({"account_id": "cus_nobody"}, "account_id"),
        ({"account_id": 5}, "account_id"),
        ({"account_id": "cus_1", "payment_gateway": "PADDLE"}, "payment_gateway"),
        ({"account_id": "cus_1", "acount": 1}, "acount"),
    ],
)
def test_bad_input_names_the_field(shop: Shop, api: Api, body: dict[str, Any], field: str) -> None:
    customer = CustomerFactory.create(vendor=shop.vendor)
    answer = refusal(api.post(f"/customers/{customer.name}/payment_gateway_credentials", body), 422)
    assert field in answer
    assert not customer.stripe_customers.exists()


def test_the_customer_of_another_vendor_is_not_there(shop: Shop, api: Api) -> None:
    other = CustomerFactory.create()
    for path in ("payment_gateway_credentials", "payment_method_status"):
        refusal(api.get(f"/customers/{other.name}/{path}"), 404)


def test_payment_method_status(shop: Shop, api: Api) -> None:
    customer = shop.customer()
    path = f"/customers/{customer.name}/payment_method_status"
    assert answer(api.get(path)) == {"status": "VALID_PAYMENT_METHOD"}


def test_the_vendors_account(shop: Shop, api: Api) -> None:
    said = {"payment_gateway": "STRIPE", "account_id": shop.sandbox.account, "auth_token": None}
    assert answer(api.get("/payment_gateway_credentials/")) == said
    shop.connection.delete()
    refusal(api.get("/payment_gateway_credentials"), 404)
