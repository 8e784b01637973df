"""The endpoints, as an integration sees them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone

from customers.models import Event
from payments.models import StripeConnection
from payments.sandbox.models import ApiKey
from payments.stripe import standing
from tests.api.client import Api, refusal
from tests.factories import CustomerFactory, VendorFactory
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


def test_a_key_of_the_vendors_own_is_entered_as_existing_clients_do(shop: Shop, settings: Any) -> None:
    vendor, own = VendorFactory.create(), "sk_test_the_vendors_own"
    api, path = Api(vendor), "/payment_gateway_credentials/"
    ApiKey.objects.create(secret=own, account_id=shop.account)
    taken = refusal(api.post(path, {"auth_token": own}), 409)
    assert taken == {"kind": "account_elsewhere"}
    standing.ended(shop.connection, real_now=timezone.now())

    for body, field in (
        ({}, "auth_token"),
        ({"auth_token": "pk_test_1"}, "auth_token"),
        ({"auth_token": "sk_test_unknown"}, "auth_token"),
        ({"auth_token": own, "account_id": "acct_another"}, "account_id"),
        ({"auth_token": own, "publishable_key": "pk_live_1"}, "publishable_key"),
        ({"auth_token": own, "payment_gateway": "PADDLE"}, "payment_gateway"),
    ):
        refused = api.post(path, body)
        assert field in refusal(refused, 422), body
        assert own not in refused.content.decode()
    assert not StripeConnection.objects.of(vendor).exists()

    said = {"payment_gateway": "STRIPE", "account_id": shop.account, "auth_token": None}
    entered = {"payment_gateway": "STRIPE", "auth_token": own, "account_id": shop.account}
    assert answer(api.post(path, {**entered, "publishable_key": "pk_test_1"})) == said
    assert answer(api.post(path, entered)) == said  # what was known of it stays
    made = StripeConnection.objects.of(vendor).get()
    assert (made.secret_key, made.publishable_key, made.is_active, made.livemode) == (own, "pk_test_1", True, False)
    told = [event.kind for event in Event.objects.of(vendor).order_by("pk")]
    assert told == ["stripe.connected", "stripe.keys_changed"]
    settings.STRIPE_TEST_PUBLISHABLE_KEY = "pk_test_platform"
    StripeConnection.objects.update(publishable_key="")
    customer = CustomerFactory.create(vendor=vendor)
    answer(api.post(f"/customers/{customer.name}/payment_gateway_credentials/generation"))
    refusal(api.post(f"/customers/{customer.name}/setup_intent"), 409)


def test_payment_methods_are_listed_chosen_and_removed(shop: Shop, api: Api) -> None:
    customer = shop.customer("pm_card_visa")
    row = customer.stripe_customers.get()
    amex = shop.attach(row, "pm_card_amex", default=False)
    path = f"/customers/{customer.name}/payment_methods"
    listed = answer(api.get(path))
    assert [(m["description"], m["is_default"]) for m in listed] == [
        ("Visa ending in 4242", True),
        ("American Express ending in 8431", False),
    ]
    assert answer(api.post(f"{path}/{amex}/default"))[0]["external_id"] == amex
    assert shop.stripe.customers.retrieve(row.external_id).invoice_settings.default_payment_method == amex
    left = answer(api.delete(f"{path}/{amex}"))
    assert [(m["card_info"]["last4"], m["card_info"]["country"]) for m in left] == [("4242", "US")]
    refusal(api.delete(f"{path}/{amex}"), 404)
    stranger = shop.customer("pm_card_visa").stripe_customers.get().payment_methods.get().external_id
    refusal(api.post(f"{path}/{stranger}/default"), 404)


def test_what_a_customer_is_handed(shop: Shop, api: Api, settings: Any) -> None:
    customer = shop.customer("")
    external_id = customer.stripe_customers.get().external_id
    path = f"/customers/{customer.name}"
    assert "STRIPE_TEST_PUBLISHABLE_KEY" in api.post(f"{path}/setup_intent").content.decode()
    settings.STRIPE_TEST_PUBLISHABLE_KEY = "pk_test_1"
    given = answer(api.post(f"{path}/setup_intent"))
    assert (given["publishable_key"], given["account_id"]) == ("pk_test_1", shop.account)
    intent = shop.stripe.setup_intents.retrieve(given["client_secret"].partition("_secret_")[0])
    assert (intent.customer, intent.usage) == (external_id, "off_session")
    assert answer(api.post("/ecp/setup_intent", {"customer_name": customer.name})).keys() == given.keys()
    link = answer(api.post(f"{path}/payment_method_link"))
    assert link["expires_at"]
    [session] = shop.stripe.checkout.sessions.list({"customer": external_id}).data
    assert (session.url, session.mode, session.currency) == (link["url"], "setup", "usd")
    assert session.success_url == "http://localhost:8000/payment-method/saved/"
    assert "/p/session/" in answer(api.post(f"{path}/billing_portal_link"))["url"]


def test_without_a_stripe_customer_nothing_is_handed_out(shop: Shop, api: Api) -> None:
    customer = CustomerFactory.create(vendor=shop.vendor)
    for what in ("setup_intent", "payment_method_link", "billing_portal_link"):
        assert "Generate or link one" in api.post(f"/customers/{customer.name}/{what}").content.decode()
    assert answer(api.get(f"/customers/{customer.name}/payment_methods")) == []
    refusal(api.get("/ecp/payment_method_status", {"customer_name": customer.name}), 422)
    refusal(api.get("/ecp/payment_method", {"customer_name": customer.name}), 404)
    refusal(api.get("/ecp/payment_method"), 422)


def test_generated_unlinked_and_generated_anew(shop: Shop, api: Api) -> None:
    customer = CustomerFactory.create(vendor=shop.vendor)
    path = f"/customers/{customer.name}/payment_gateway_credentials"
    first = answer(api.post(f"{path}/generation"))
    assert (first["state"], first["sync"]) == ("linked", {"in_step_since": None, "waiting": False, "problem": None})
    refusal(api.post(f"{path}/generation"), 409)
    assert answer(api.delete(path)) == {}
    refusal(api.delete(path), 404)
    assert answer(api.post(f"{path}/generation"))["account_id"] != first["account_id"]
    assert shop.stripe.customers.retrieve(first["account_id"]).email == customer.email, "it stays as it was"
