"""Misbehaviour on demand."""

import time

import pytest
import requests
import stripe

from payments.sandbox import limits
from tests.sandbox_server import SANDBOX_ONLY

pytestmark = SANDBOX_ONLY


@pytest.fixture
def fault(stripe_sandbox):
    def order(kind: str, **more: object) -> None:
        url = f"{stripe_sandbox.api_base}/_control/faults"
        answer = requests.post(url, json={"kind": kind, "path_regex": "^/v1/customers", **more}, timeout=5)
        assert answer.status_code == 200, answer.text

    return order


def customers(sandbox) -> int:
    return len(sandbox.client().v1.customers.list().data)


@pytest.mark.parametrize(
    ("kind", "error", "kept"),
    [
        ("timeout_before", stripe.APIConnectionError, 0),
        ("timeout_after", stripe.APIConnectionError, 1),
        ("error_500_before", stripe.APIError, 0),
        ("error_500_after", stripe.APIError, 1),
        ("rate_limit", stripe.RateLimitError, 0),
        ("lock_timeout", stripe.RateLimitError, 0),
        ("conflict", stripe.APIError, 0),
        ("garbage", stripe.APIError, 1),
    ],
)
def test_each_fault_strikes_once_and_the_same_key_then_succeeds(stripe_sandbox, client, fault, kind, error, kept):
    fault(kind, method="POST", times=1)
    with pytest.raises(error):
        client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "k"})
    assert customers(stripe_sandbox) == kept
    again = client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "k"})
    assert ("Idempotent-Replayed" in again.last_response.headers) == bool(kept)
    assert customers(stripe_sandbox) == 1


def test_the_sdks_own_retry_gets_over_a_lost_answer(stripe_sandbox, fault):
    fault("timeout_after", method="POST", times=1)
    retrying = stripe_sandbox.client(max_network_retries=2)
    made = retrying.v1.customers.create({"name": "Ada"})
    assert made.name == "Ada"
    assert customers(stripe_sandbox) == 1


def test_latency_delays_the_answer_and_nothing_else(stripe_sandbox, client, fault):
    fault("latency", seconds=0.3)
    began = time.monotonic()
    assert client.v1.customers.create({"name": "Ada"}).name == "Ada"
    assert time.monotonic() - began >= 0.3
    client.v1.customers.create({})
    assert customers(stripe_sandbox) == 2


def test_other_requests_and_accounts_are_spared(stripe_sandbox, client, fault):
    fault("rate_limit", method="POST", times=5, account="acct_other")
    client.v1.customers.create({})
    fault("rate_limit", method="DELETE", times=5)
    client.v1.customers.create({})
    assert client.v1.payment_methods.list().data == []


def test_faults_are_listed_and_cancelled(stripe_sandbox, client, fault):
    fault("conflict", times=3)
    url = f"{stripe_sandbox.api_base}/_control/faults"
    assert requests.get(url, timeout=5).json()["faults"][0]["times"] == 3
    assert requests.delete(f"{url}?account=acct_other", timeout=5).json()["faults"] != []
    assert requests.delete(url, timeout=5).json() == {"faults": [], "lapsed": []}
    client.v1.customers.create({})


@pytest.mark.parametrize(
    "order",
    [
        {"kind": "wish"},
        {},
        {"kind": "conflict", "times": 0},
        {"kind": "conflict", "path_regex": "("},
        {"kind": "latency", "seconds": -1},
        {"who": 1},
        [],
    ],
)
def test_orders_that_make_no_sense_are_refused(stripe_sandbox, order):
    answer = requests.post(f"{stripe_sandbox.api_base}/_control/faults", json=order, timeout=5)
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.fixture
def limit(stripe_sandbox):
    url = f"{stripe_sandbox.api_base}/_control/rate_limits"

    def order(per_second: float, **more: object) -> dict:
        answer = requests.post(url, json={"per_second": per_second, **more}, timeout=5)
        assert answer.status_code == 200, answer.text
        return answer.json()

    yield order
    assert requests.delete(url, timeout=5).json() == {"rate_limits": [], "counts": []}


@pytest.fixture
def moment(monkeypatch):
    """The time that the buckets go by."""
    at = [100.0]
    monkeypatch.setattr(limits, "clock", lambda: at[0])
    return at


def test_a_limit_refuses_what_comes_too_fast_and_lets_it_in_later(stripe_sandbox, client, limit, moment):
    assert limit(5)["rate_limits"] == [{"account": "", "livemode": False, "per_second": 5.0}]
    for _ in range(5):
        client.v1.customers.list()
    with pytest.raises(stripe.RateLimitError) as refused:
        client.v1.customers.list()
    assert refused.value.error.code == "rate_limit"
    stripe_sandbox.client(stripe_account=None).v1.customers.list()  # another account has its own
    moment[0] += 0.2
    client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "k"})
    counts = requests.get(f"{stripe_sandbox.api_base}/_control/rate_limits", timeout=5).json()["counts"]
    assert {(c["account"], c["served"], c["refused"]) for c in counts} >= {(stripe_sandbox.account, 6, 1)}


def test_an_account_may_have_a_limit_of_its_own(stripe_sandbox, client, limit, moment):
    limit(1)
    limit(100, account=stripe_sandbox.account)
    for _ in range(5):
        client.v1.customers.list()
    platform = stripe_sandbox.client(stripe_account=None)
    platform.v1.customers.list()
    with pytest.raises(stripe.RateLimitError):
        platform.v1.customers.list()


def test_each_endpoint_may_have_a_limit_beside_the_whole(stripe_sandbox, client, limit, moment):
    made = [client.v1.customers.create({}).id for _ in range(3)]
    assert limit(100, endpoint_per_second=2)["rate_limits"][0]["endpoint_per_second"] == 2.0
    for id_ in made[:2]:
        client.v1.customers.retrieve(id_)
    with pytest.raises(stripe.RateLimitError):
        client.v1.customers.retrieve(made[2])  # another id is the same endpoint
    client.v1.customers.list()
    client.v1.customers.update(made[2], {"name": "Ada"})
    moment[0] += 0.5
    client.v1.customers.retrieve(made[2])
    counts = requests.get(f"{stripe_sandbox.api_base}/_control/rate_limits", timeout=5).json()["counts"]
    of = {count["endpoint"]: (count["served"], count["refused"]) for count in counts if "endpoint" in count}
    assert of["GET /v1/customers/{id}"] == (3, 1)
    assert of["GET /v1/customers"] == (1, 0)


def test_accounts_are_isolated_and_more_can_be_had(stripe_sandbox, client):
    url = f"{stripe_sandbox.api_base}/_control/accounts"
    second = requests.post(url, json={"name": "Second"}, timeout=5).json()
    alone = requests.post(url, json={"name": "Alone", "connected": False}, timeout=5).json()
    client.v1.customers.create({}, {"idempotency_key": "k"})
    theirs = stripe_sandbox.client(stripe_account=second["id"])
    assert theirs.v1.customers.list().data == []
    theirs.v1.customers.create({"name": "another request"}, {"idempotency_key": "k"})
    with pytest.raises(stripe.PermissionError):
        stripe_sandbox.client(stripe_account=alone["id"]).v1.customers.list()
    own = stripe.StripeClient(alone["secret_key"], base_addresses={"api": stripe_sandbox.api_base})
    assert own.v1.customers.list().data == []
    listed = {account["id"] for account in requests.get(url, timeout=5).json()["accounts"]}
    assert {stripe_sandbox.account, second["id"], alone["id"]} <= listed
    assert requests.post(url, json={}, timeout=5).status_code == 400


def test_an_order_that_met_nothing_in_its_time_lapses_and_is_listed_as_such(stripe_sandbox, client, fault):
    fault("rate_limit", times=3, within=0)
    client.v1.customers.create({"name": "Ada"})
    fault("conflict", within=60)
    with pytest.raises(stripe.APIError):
        client.v1.customers.create({"name": "Bea"})
    assert customers(stripe_sandbox) == 1
    found = requests.get(f"{stripe_sandbox.api_base}/_control/faults", timeout=5).json()
    assert found["faults"] == []
    assert [(one["kind"], one["times"], one["within"]) for one in found["lapsed"]] == [("rate_limit", 3, 0.0)]
