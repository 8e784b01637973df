"""The rules every request meets: keys, parameters, pages, expansion, errors."""

from typing import Any

import pytest
import requests
import stripe

from payments.sandbox import events
from payments.sandbox.models import Account, Connection
from tests.sandbox_server import SANDBOX_ONLY

pytestmark = SANDBOX_ONLY


def test_the_api_version_is_the_one_the_sdk_pins():
    assert stripe.api_version == events.API_VERSION


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer sk_test_wrong"}, {"Authorization": "Basic !"}])
def test_without_a_valid_key_nothing_is_answered(stripe_sandbox, headers):
    answer = requests.get(f"{stripe_sandbox.api_base}/v1/customers", headers=headers, timeout=5)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.headers["Request-Id"].startswith("req_")


def test_basic_authentication_is_accepted(stripe_sandbox):
    url = f"{stripe_sandbox.api_base}/v1/account"
    answer = requests.get(url, auth=(stripe_sandbox.secret_key, ""), timeout=5)
    assert answer.json()["object"] == "account"


def test_an_account_that_is_not_connected_is_refused(stripe_sandbox):
    with pytest.raises(stripe.PermissionError) as refusal:
        stripe_sandbox.client(stripe_account="acct_other").v1.customers.list()
    error: Any = refusal.value.error
    assert error.code == "account_invalid"


def test_a_revoked_connection_is_refused(stripe_sandbox, client):
    Connection.objects.all().delete()
    with pytest.raises(stripe.PermissionError):
        client.v1.customers.list()


def test_accounts_do_not_see_each_other(stripe_sandbox, customer):
    other = Account.objects.create(id="acct_2", name="Other", created=1)
    platform = Connection.objects.get().platform
    Connection.objects.create(platform=platform, account=other)
    made = customer()
    elsewhere = stripe_sandbox.client(stripe_account="acct_2")
    assert elsewhere.v1.customers.list().data == []
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        elsewhere.v1.customers.retrieve(made.id)
    assert refusal.value.http_status == 404
    assert refusal.value.code == "resource_missing"


def test_headers_of_an_answer(stripe_sandbox):
    answer = requests.post(
        f"{stripe_sandbox.api_base}/v1/customers",
        headers={
            "Authorization": f"Bearer {stripe_sandbox.secret_key}",
            "Stripe-Account": stripe_sandbox.account,
            "Stripe-Version": stripe.api_version,
            "Idempotency-Key": "k",
        },
        timeout=5,
    )
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Stripe-Account"] == stripe_sandbox.account
    assert answer.headers["Stripe-Version"] == stripe.api_version
    assert answer.headers["Idempotency-Key"] == "k"
    assert answer.headers["Request-Id"].startswith("req_")


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"foo": "1"}, "parameter_unknown", "foo"),
        ({"customer": "cus_x", "metadata": {"a": "b"}, "rendering_x": 1}, "parameter_unknown", "rendering_x"),
        ({}, "parameter_missing", "customer"),
        ({"customer": ""}, "parameter_invalid_empty", "customer"),
        ({"customer": "cus_x"}, "resource_missing", "customer"),
        ({"customer": "cus_x", "days_until_due": "soon"}, "parameter_invalid_integer", "days_until_due"),
        ({"customer": "cus_x", "auto_advance": "yes"}, None, "auto_advance"),
        ({"customer": "cus_x", "collection_method": "wish"}, None, "collection_method"),
        ({"customer": "cus_x", "custom_fields": [{"label": "x"}]}, "parameter_unknown", "custom_fields[0][label]"),
    ],
)
def test_bad_parameters_are_named(stripe_sandbox, params, code, param):
    client = stripe_sandbox.client()
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.raw_request("post", "/v1/invoices", **params)
    assert (refusal.value.http_status, refusal.value.code, refusal.value.param) == (400, code, param)
    # What was sent is wrong on purpose.
    stripe_sandbox.traffic.exchanges.clear()


def test_an_unknown_path_says_so(stripe_sandbox, client):
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL"):
        client.raw_request("get", "/v1/unicorns")
    stripe_sandbox.traffic.exchanges.clear()


def test_blank_unsets_and_metadata_merges(client, customer):
    made = customer(name="Ada", phone="1", metadata={"a": "1", "b": "2"}, address={"city": "Bonn"})
    changed = client.v1.customers.update(made.id, {"name": "", "metadata": {"a": "", "c": "3"}})
    assert changed.name is None
    assert changed.phone == "1"
    assert changed.metadata.to_dict() == {"b": "2", "c": "3"}
    assert client.v1.customers.update(made.id, {"metadata": ""}).metadata.to_dict() == {}
    assert client.v1.customers.update(made.id, {"address": ""}).address is None


def test_pages_go_both_ways(client, customer):
    made = [customer(name=str(n)).id for n in range(5)]
    newest_first = made[::-1]
    first = client.v1.customers.list({"limit": 2})
    assert ([c.id for c in first.data], first.has_more, first.url) == (newest_first[:2], True, "/v1/customers")
    second = client.v1.customers.list({"limit": 2, "starting_after": first.data[-1].id})
    assert [c.id for c in second.data] == newest_first[2:4]
    back = client.v1.customers.list({"limit": 1, "ending_before": second.data[-1].id})
    assert ([c.id for c in back.data], back.has_more) == ([newest_first[2]], True)
    last = client.v1.customers.list({"limit": 2, "starting_after": second.data[-1].id})
    assert ([c.id for c in last.data], last.has_more) == (newest_first[4:], False)
    assert [c.id for c in client.v1.customers.list({"limit": 2}).auto_paging_iter()] == newest_first


def test_lists_filter_by_time_and_fields(client, customer):
    ada = customer(email="ada@example.com")
    customer(email="Ada@example.com")
    assert [c.id for c in client.v1.customers.list({"email": "ada@example.com"}).data] == [ada.id]
    assert len(client.v1.customers.list({"created": {"gte": ada.created}}).data) == 2
    assert client.v1.customers.list({"created": {"lt": ada.created}}).data == []


def test_expansion_reaches_through_lists_and_hashes(client, customer, draft):
    owner = customer("pm_card_visa")
    invoice = draft(owner)
    client.v1.invoices.finalize_invoice(invoice.id)
    client.v1.invoices.pay(invoice.id)
    found = client.v1.invoices.retrieve(
        invoice.id,
        {
            "expand": [
                "customer.invoice_settings.default_payment_method",
                "payments.data.payment.payment_intent",
                "confirmation_secret",
            ]
        },
    )
    assert found.customer.invoice_settings.default_payment_method.card.last4 == "4242"
    intent = found.payments.data[0].payment.payment_intent
    assert intent.amount_received == 2500
    assert found.confirmation_secret.client_secret == intent.client_secret
    listed = client.v1.payment_intents.list({"customer": owner.id, "expand": ["data.latest_charge"]})
    assert listed.data[0].latest_charge.paid is True
    plain = client.v1.invoices.retrieve(invoice.id)
    assert plain.customer == owner.id
    assert "payments" not in plain
    assert "confirmation_secret" not in plain


@pytest.mark.parametrize("path", ["currency", "customer.email", "lines.data.x", "a.b.c.d.e"])
def test_what_cannot_be_expanded_is_refused(stripe_sandbox, client, customer, draft, path):
    invoice = draft(customer())
    with pytest.raises(stripe.InvalidRequestError, match="expand"):
        client.v1.invoices.retrieve(invoice.id, {"expand": [path]})
    # Asked wrongly on purpose.
    stripe_sandbox.traffic.exchanges.clear()


def test_nullable_fields_are_there_as_null(client, customer):
    made = customer()
    assert made.name is None
    assert made.address is None
    assert made.invoice_settings.default_payment_method is None
