"""Idempotency-Key: the same request sent twice is carried out once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Event as Signal
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from billing_portal.api import idempotency
from billing_portal.api.idempotency import KEPT_FOR, forget
from billing_portal.api.models import IdempotentRequest
from billing_portal.api.sealing import Unreadable, seal, unseal
from billing_portal.api.tasks import forget_answers
from customers.errors import Conflict
from customers.models import Customer, Event, WebhookEndpoint
from invoicing.catalog import verbs
from invoicing.models import Invoice, Measurement, Meter
from payments.models import StripeCustomer
from payments.stripe import customers as stripe_customers
from payments.stripe.connect import attach
from tests.api.client import Api, answer, refusal
from tests.crash import Killed, killed_after
from tests.factories import CustomerFactory, InvoiceFactory, MeterFactory, PricePlanFactory
from tests.sandbox_server import StripeSandbox

METER = {"name": "requests", "meter_type": "COUNTER"}
ACME = {"name": "acme", "contact_info": {"email": "billing@acme.example.com"}}
WITH_STRIPE = {**ACME, "autogenerate_payment_gateway_customer": True}


def replayed(response: Any) -> bool:
    return response.headers.get("Idempotent-Replayed") == "true"


def test_the_answer_comes_again_and_nothing_happens_again(api: Api) -> None:
    CustomerFactory.create(vendor=api.vendor, name="acme")
    MeterFactory.create(vendor=api.vendor, name="requests")
    usage = {"meter_name": "requests", "customer_name": "acme", "value": 3}
    first, second = (api.post("/measurements", usage, key="k-1") for _ in range(2))
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert (replayed(first), replayed(second)) == (False, True)
    assert Measurement.objects.count() == 1
    api.post("/measurements", usage, key="k-2")
    api.post("/measurements", usage)
    assert Measurement.objects.count() == 3


@pytest.mark.parametrize("method", ["put", "delete"])
def test_every_write(api: Api, method: str) -> None:
    Meter.objects.filter(pk=MeterFactory.create(vendor=api.vendor, name="requests").pk).update(display_name="Before")
    send = getattr(api, method)
    first = send("/meters/requests", {"display_name": "After"} if method == "put" else None, key="k-1")
    answer(first)
    Meter.objects.update(display_name="Later")
    second = send("/meters/requests", {"display_name": "After"} if method == "put" else None, key="k-1")
    assert (second.content, replayed(second)) == (first.content, True)
    assert not Meter.objects.filter(display_name="After").exists()


def test_a_status_other_than_200_comes_again(api: Api) -> None:
    invoice = InvoiceFactory.create(customer__vendor=api.vendor, number="", issued_at=None, paid_at=None)
    answers = [api.post(f"/invoices/{invoice.uuid}/retries", key="k-1") for _ in range(2)]
    assert [(response.status_code, replayed(response)) for response in answers] == [(202, False), (202, True)]


def test_reading_takes_no_key(api: Api) -> None:
    for _ in range(2):
        assert not replayed(api.get("/meters", key="k-1"))
    assert not IdempotentRequest.objects.exists()


def test_spelling_does_not_matter(api: Api) -> None:
    answer(api.post("/meters", '{"name": "requests", "meter_type": "COUNTER"}', key="k-1"))
    assert replayed(api.post("/meters/", '{"meterType":"COUNTER","name":"requests"}', key="k-1"))


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "/meters", {**METER, "display_name": "Other"}),
        ("post", "/customers", METER),
        ("put", "/meters/requests", METER),
        ("post", "/meters?a=b", METER),
    ],
)
def test_the_same_key_for_another_request_is_refused(api: Api, method: str, path: str, body: Any) -> None:
    answer(api.post("/meters", METER, key="k-1"))
    response = getattr(api, method)(path, body, key="k-1")
    assert refusal(response, 422) == {"kind": "idempotency_key_reused"}
    assert not replayed(response)
    assert replayed(api.post("/meters", METER, key="k-1"))


def test_another_vendor_may_use_the_same_key(api: Api, stranger: Api) -> None:
    for client in (api, stranger):
        assert not replayed(client.post("/meters", METER, key="k-1"))
    assert Meter.objects.count() == 2


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "schlüssel", "a\tb"])
def test_a_key_that_is_none(api: Api, key: str) -> None:
    assert list(refusal(api.post("/meters", METER, key=key), 422)) == ["Idempotency-Key"]
    assert not Meter.objects.exists()


def test_a_wrong_field_is_not_kept(api: Api) -> None:
    """Mended, the request may go out under the same key."""
    refusal(api.post("/meters", {**METER, "meter_type": "WHAT"}, key="k-1"), 422)
    refusal(api.post("/meters", "{", key="k-1"), 400)
    refusal(api.put("/meters/nothing", {"display_name": "x"}, key="k-1"), 404)
    assert not IdempotentRequest.objects.exists()
    assert not replayed(api.post("/meters", METER, key="k-1"))


def test_a_refusal_of_what_was_tried_is_kept(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(vendor: Any, given: Any, **times: Any) -> Meter:
        MeterFactory.create(vendor=vendor)
        raise Conflict("Not today.")

    monkeypatch.setattr(verbs, "create_meter", refuse)
    first = api.post("/meters", METER, key="k-1")
    assert refusal(first, 409) == {"kind": "conflict"}
    monkeypatch.undo()
    second = api.post("/meters", METER, key="k-1")
    assert (second.status_code, second.content, replayed(second)) == (409, first.content, True)
    assert first.headers["octane-should-retry"] == second.headers["octane-should-retry"] == "false"
    assert not Meter.objects.exists()


def test_our_own_mistake_is_not_kept(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(vendor: Any, given: Any, **times: Any) -> Meter:
        MeterFactory.create(vendor=vendor)
        raise ZeroDivisionError

    api.http.raise_request_exception = False
    monkeypatch.setattr(verbs, "create_meter", fail)
    refusal(api.post("/meters", METER, key="k-1"), 500)
    assert not Meter.objects.exists()
    monkeypatch.undo()
    assert not replayed(api.post("/meters", METER, key="k-1"))
    assert Meter.objects.count() == 1


def test_a_secret_in_an_answer_is_not_readable_in_the_database(api: Api) -> None:
    first = answer(api.post("/webhooks", {"url": "https://example.com/hook"}, key="k-1"))
    row = IdempotentRequest.objects.get()
    assert first["secret"].encode() not in bytes(row.sealed_body)
    assert answer(api.post("/webhooks", {"url": "https://example.com/hook"}, key="k-1")) == first
    assert WebhookEndpoint.objects.count() == 1


def test_sealed_with_a_key_that_is_gone(api: Api, settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = ["2lLrvGFfCuDpPCcwQDQWiL3yJDcCcbO6tDfhlkN9qzI="]
    sealed = seal(b"text")
    answer(api.post("/meters", METER, key="k-1"))
    settings.FIELD_ENCRYPTION_KEYS = ["Tr0cBHpR7mD0qJdCvQeEG4d0xyFqIYxJ4Fw5YDyFJ2s=", *settings.FIELD_ENCRYPTION_KEYS]
    assert unseal(sealed) == b"text"
    assert replayed(api.post("/meters", METER, key="k-1"))
    settings.FIELD_ENCRYPTION_KEYS = settings.FIELD_ENCRYPTION_KEYS[:1]
    with pytest.raises(Unreadable):
        unseal(sealed)
    assert refusal(api.post("/meters", METER, key="k-1"), 409) == {"kind": "idempotent_answer_lost"}


def test_kept_for_a_day(api: Api) -> None:
    answer(api.post("/meters", METER, key="k-1"))
    answer(api.post("/meters", {**METER, "name": "others"}, key="k-2"))
    real_now = timezone.now()
    IdempotentRequest.objects.filter(key="k-1").update(created_at=real_now - KEPT_FOR)
    answer(api.put("/meters/requests", {"display_name": "x"}, key="k-1"))
    IdempotentRequest.objects.filter(key="k-1").update(created_at=real_now - KEPT_FOR)
    assert forget(real_now=real_now - timedelta(seconds=1)) == 0
    forget_answers()
    assert IdempotentRequest.objects.get().key == "k-2"


def test_forgetting_goes_in_batches(api: Api) -> None:
    for number in range(3):
        answer(api.post("/meters", {**METER, "name": f"m-{number}"}, key=f"k-{number}"))
    later = timezone.now() + KEPT_FOR
    assert [forget(real_now=later, limit=2) for _ in range(3)] == [2, 1, 0]


# Two at the same time


def in_thread(work: Callable[[], Any]) -> Any:
    try:
        return work()
    finally:
        connections.close_all()


def test_while_it_runs_a_second_one_is_told_to_wait(
    transactional_db: None, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end, create = Signal(), Signal(), verbs.create_meter

    def slow(*args: Any, **kwargs: Any) -> Meter:
        begun.set()
        assert may_end.wait(30)
        return create(*args, **kwargs)

    monkeypatch.setattr(verbs, "create_meter", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(in_thread, lambda: api.post("/meters", METER, key="k-1"))
        assert begun.wait(30)
        second = api.post("/meters", METER, key="k-1")
        may_end.set()
        body = answer(first.result())
    assert refusal(second, 409) == {"kind": "idempotency_key_in_use"}
    assert second.headers["octane-should-retry"] == "true"
    third = api.post("/meters", METER, key="k-1")
    assert (answer(third), replayed(third)) == (body, True)


def test_a_race_has_one_winner(transactional_db: None, api: Api) -> None:
    CustomerFactory.create(vendor=api.vendor, name="acme")
    MeterFactory.create(vendor=api.vendor, name="requests")
    usage = {"meter_name": "requests", "customer_name": "acme", "value": 3}

    def insist() -> Any:
        return until_not_busy(lambda: api.post("/measurements", usage, key="k-1"))

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: in_thread(insist), range(8)))
    assert {response.status_code for response in answers} == {200}
    assert len({response.content for response in answers}) == 1
    assert sum(not replayed(response) for response in answers) == 1
    assert Measurement.objects.count() == 1


def until_not_busy(send: Callable[[], Any]) -> Any:
    """As a client library does: try again where the answer says so."""
    for _ in range(200):
        response = send()
        if response.headers.get("octane-should-retry") != "true":
            return response
        time.sleep(0.02)
    raise AssertionError("busy for ever")


# Killed in between


def die(steps: int, send: Callable[[], Any]) -> bool:
    """Kill the process after so many things it did; its connection goes with it. False: it was through before."""
    try:
        with killed_after(steps):
            send()
    except Killed:
        connection.close()
        return True
    return False


def deaths(send: Callable[[int], Any]) -> Iterator[int]:
    """Dies a step later each time, until it lives."""
    steps = 0
    while die(steps, partial(send, steps)):
        yield steps
        steps += 1


def test_killed_anywhere_the_same_request_is_carried_out_once(transactional_db: None, api: Api) -> None:
    """The work of one transaction: whatever dies, it is done with its answer, or not at all."""

    def send(number: int) -> Any:
        return api.post("/meters", {**METER, "name": f"m-{number}"}, key=f"k-{number}")

    died = list(deaths(send))
    for number in died:
        assert answer(until_not_busy(partial(send, number)))["name"] == f"m-{number}"
        assert replayed(send(number))
    assert len(died) >= 6
    assert Meter.objects.count() == len(died) + 1


def test_killed_among_many_invoices_the_same_request_goes_on(transactional_db: None, api: Api) -> None:
    """Each is a transaction of its own: what was done stays done, and is not done again."""
    waiting = {"number": "", "issued_at": None, "paid_at": None, "is_approved": False, "next_action": "approve"}
    customer = CustomerFactory.create(vendor=api.vendor)
    ids = [str(one.uuid) for one in InvoiceFactory.create_batch(4, customer=customer, next_action_at=None, **waiting)]

    def send() -> Any:
        return api.post("/invoices/bulk", {"action": "approve", "invoice_ids": ids}, key="k-1")

    done = []
    while die(28, send):
        done.append(Invoice.objects.filter(is_approved=True).count())
        until_not_busy(lambda: api.get("/meters"))
    assert 0 < done[0] < 4, done
    assert done == sorted(set(done)), "each time it goes on behind the last one"
    found = answer(until_not_busy(send))
    assert [(one["invoice_id"], one["success"]) for one in found] == [(one, True) for one in ids]
    assert Event.objects.filter(kind="invoice.approved").count() == 4


def test_killed_between_the_work_and_its_answer(
    transactional_db: None, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die_first(plain: bytes) -> bytes:
        raise Killed

    monkeypatch.setattr(idempotency, "seal", die_first)
    with pytest.raises(Killed):
        api.post("/meters", METER, key="k-1")
    assert not Meter.objects.exists()
    monkeypatch.undo()
    assert not replayed(api.post("/meters", METER, key="k-1"))
    assert Meter.objects.count() == 1


@pytest.fixture
def connected(stripe_sandbox: StripeSandbox, vendor: Any, settings: Any) -> StripeSandbox:
    settings.STRIPE_TEST_SECRET_KEY = stripe_sandbox.secret_key
    attach(vendor, stripe_sandbox.account, livemode=False, real_now=timezone.now())
    return stripe_sandbox


def test_killed_between_us_and_stripe_there_is_one_customer_here_and_there(connected: StripeSandbox, api: Api) -> None:
    """Work that calls out: sent again it goes on behind the last step, and Stripe is asked with the same key."""
    PricePlanFactory.create(vendor=api.vendor, name="basic")

    def send(number: int) -> Any:
        wish = {**WITH_STRIPE, "name": f"acme-{number}", "price_plan_name": "basic"}
        return api.post("/customers", wish, key=f"k-{number}")

    died = list(deaths(send))
    for number in died:
        assert answer(until_not_busy(partial(send, number)))["name"] == f"acme-{number}"
        assert replayed(send(number))
    assert len(died) >= 15
    assert Customer.objects.count() == Event.objects.filter(kind="customer.new").count() == len(died) + 1
    # What was under way when its process died is brought to its end by the schedule.
    stripe_customers.retry_pending(real_now=timezone.now() + timedelta(minutes=5))
    theirs = connected.client().v1.customers.list({"limit": 100}).data
    ours = set(StripeCustomer.objects.filter(state="linked").values_list("external_id", flat=True))
    assert len(theirs) == len(ours) == Customer.objects.count()
    assert {customer.id for customer in theirs} == ours


def test_stripe_out_of_reach_is_answered_once_too(connected: StripeSandbox, api: Api, settings: Any) -> None:
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    first, second = (api.post("/customers", WITH_STRIPE, key="k-1") for _ in range(2))
    assert answer(first) == answer(second)
    assert (replayed(first), replayed(second)) == (False, True)
    assert Customer.objects.count() == 1


def test_a_wrong_field_of_work_that_calls_out_is_not_kept(connected: StripeSandbox, api: Api) -> None:
    refusal(api.post("/customers", {**WITH_STRIPE, "price_plan_name": "nothing"}, key="k-1"), 422)
    assert not IdempotentRequest.objects.exists()
    assert not replayed(api.post("/customers", WITH_STRIPE, key="k-1"))


def test_an_outage_is_not_kept(connected: StripeSandbox, api: Api, settings: Any) -> None:
    CustomerFactory.create(vendor=api.vendor, name="acme")
    made = connected.client().v1.customers.create({"name": "Acme"})
    path, base = "/customers/acme/payment_gateway_credentials", settings.STRIPE_API_BASE
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    response = api.post(path, {"account_id": made.id}, key="k-1")
    assert refusal(response, 409) == {"kind": "stripe_unavailable"}
    assert response.headers["octane-should-retry"] == "true"
    settings.STRIPE_API_BASE = base
    assert json.loads(api.post(path, {"account_id": made.id}, key="k-1").content)["account_id"] == made.id
