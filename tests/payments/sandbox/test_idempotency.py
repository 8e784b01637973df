"""A key stands for one request: repeated it gives the same answer, whatever happened meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe
from django.db import connection, transaction

from payments.sandbox import idempotency
from payments.sandbox.models import IdempotentAnswer
from tests.sandbox_server import SANDBOX_ONLY

pytestmark = SANDBOX_ONLY


def key(text: str) -> dict[str, str]:
    return {"idempotency_key": text}


def test_a_repeated_request_gets_the_first_answer_and_does_nothing(client, event_types):
    first = client.v1.customers.create({"name": "Ada"}, key("k"))
    again = client.v1.customers.create({"name": "Ada"}, key("k"))
    assert again.id == first.id
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert again.last_response.headers["Original-Request"] == first.last_response.request_id
    assert event_types() == ["customer.created"]


def test_a_key_is_refused_for_other_parameters(client):
    client.v1.customers.create({"name": "Ada"}, key("k"))
    with pytest.raises(stripe.IdempotencyError) as refusal:
        client.v1.customers.create({"name": "Bob"}, key("k"))
    assert refusal.value.http_status == 400


def test_a_key_is_refused_for_another_path(client):
    client.v1.customers.create({}, key("k"))
    with pytest.raises(stripe.IdempotencyError):
        client.v1.payment_methods.attach("pm_card_visa", {"customer": "cus_1"}, key("k"))


def test_a_refused_request_leaves_its_key_free(client):
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.invoices.create({"customer": "cus_missing"}, key("k"))
    assert client.v1.customers.create({}, key("k")).object == "customer"


@pytest.mark.parametrize("status", [400, 404])
def test_a_refusal_of_the_work_is_the_answer_for_ever(client, customer, draft, status):
    """It would succeed by now, but under this key it was refused."""
    invoice = draft(customer("pm_card_visa"))
    asked = invoice.id if status == 400 else "in_missing"
    refusals = []
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            client.v1.invoices.void_invoice(asked, {}, key("void"))
        refusals.append(refusal.value)
        client.v1.invoices.finalize_invoice(invoice.id, {}, key("finalize"))
    first, second = refusals
    assert (first.http_status, second.http_status, first.user_message) == (status, status, second.user_message)
    assert "Idempotent-Replayed" not in (first.headers or {})
    assert (second.headers or {})["Original-Request"] == first.request_id
    if status == 400:
        assert client.v1.invoices.void_invoice(asked, {}, key("another")).status == "void"


def test_a_refusal_undoes_the_work_and_tells_nobody(client, customer, draft, event_types):
    invoice = draft(customer("pm_card_visa"))
    client.v1.customers.delete(invoice.customer)
    before = event_types()
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.invoices.pay(invoice.id, {}, key("pay"))
    assert client.v1.invoices.retrieve(invoice.id).status == "draft"
    assert event_types() == before


def test_a_decline_is_the_answer_for_ever(client, customer, draft):
    invoice = draft(customer("pm_card_chargeCustomerFail"))
    client.v1.invoices.finalize_invoice(invoice.id)
    for _ in range(2):
        with pytest.raises(stripe.CardError) as decline:
            client.v1.invoices.pay(invoice.id, {}, key("pay"))
    assert (decline.value.headers or {})["Idempotent-Replayed"] == "true"
    assert client.v1.charges.list().data[0].status == "failed"
    assert len(client.v1.charges.list().data) == 1


def test_a_running_key_is_a_conflict(stripe_sandbox, client):
    """Another connection holds the key, as a request that has not committed yet does."""
    held = f"{stripe_sandbox.account}/False/k"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT {idempotency.RUNNING}", [held])
        with pytest.raises(stripe.APIError) as conflict:
            client.v1.customers.create({}, key("k"))
        assert conflict.value.http_status == 409
        error: Any = conflict.value.error
        assert error.code == "idempotency_key_in_use"
    assert client.v1.customers.create({}, key("k")).object == "customer"


def test_many_at_once_make_one_customer(stripe_sandbox, client):
    def create(_: int) -> str:
        try:
            return str(client.v1.customers.create({"name": "Ada"}, key("k")).id)
        except stripe.APIError as conflict:
            return str(conflict.http_status)

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(create, range(24))) - {"409"}
    assert len(made) == 1
    assert len(client.v1.customers.list().data) == 1


def test_work_and_answer_are_stored_together(stripe_sandbox, client, monkeypatch):
    """A crash before the answer is stored takes the work with it."""

    def crash(*_: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(idempotency, "store", crash)
    with pytest.raises(stripe.APIError):
        client.v1.customers.create({}, key("k"))
    monkeypatch.undo()
    assert client.v1.customers.list().data == []
    assert not IdempotentAnswer.objects.exists()
    assert client.v1.customers.create({}, key("k")).object == "customer"


def test_concurrent_payments_of_one_invoice_charge_once(client, customer, draft):
    invoice = draft(customer("pm_card_visa"))
    client.v1.invoices.finalize_invoice(invoice.id)

    def pay(number: int) -> str:
        try:
            return str(client.v1.invoices.pay(invoice.id, {}, key(f"pay-{number}")).status)
        except stripe.InvalidRequestError as refusal:
            return str(refusal.user_message)

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(pay, range(4)))
    assert outcomes == ["Invoice is already paid"] * 3 + ["paid"]
    assert len(client.v1.charges.list().data) == 1
