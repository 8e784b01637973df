"""Webhooks that are late, doubled, out of order or lost, because somebody ordered it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.utils import timezone

from payments.sandbox import webhook_faults
from payments.sandbox.models import Delivery
from tests.sandbox_server import SANDBOX_ONLY

pytestmark = SANDBOX_ONLY


@pytest.fixture
def hooked(stripe_sandbox, inbox):
    stripe_sandbox.send_webhooks_to(inbox.url)
    return stripe_sandbox


@pytest.fixture
def order(stripe_sandbox):
    def post(kind: str, **more: object) -> Any:
        return requests.post(f"{stripe_sandbox.api_base}/_control/webhooks", json={"kind": kind, **more}, timeout=5)

    return post


def names(inbox) -> list[str]:
    return [json.loads(r.body)["data"]["object"]["name"] for r in inbox.received]


@pytest.fixture
def rename(client, customer):
    made = customer()

    def change(*given: str) -> None:
        for name in given:
            client.v1.customers.update(made.id, {"name": name})

    return change


def test_dropped_ones_never_arrive_but_can_be_read(hooked, inbox, client, order, rename):
    assert order("drop", times=2).status_code == 200
    rename("a", "b", "c")
    assert hooked.settle() is False
    assert names(inbox) == ["c"]
    hooked.run_due(timezone.now() + timedelta(days=3))
    assert names(inbox) == ["c"]
    assert len(client.v1.events.list({"type": "customer.updated"}).data) == 3
    assert len(client.v1.events.list({"delivery_success": False}).data) == 2


def test_doubled_ones_arrive_twice_under_one_id(hooked, inbox, order, rename):
    order("double", times=1)
    rename("a", "b")
    hooked.settle()
    assert sorted(names(inbox)) == ["a", "a", "b"]
    assert len({json.loads(r.body)["id"] for r in inbox.received}) == 2


def test_late_ones_keep_nobody_waiting(hooked, inbox, order, rename):
    order("delay", seconds=60, times=1)
    rename("a", "b")
    assert hooked.settle() is False
    assert names(inbox) == ["b"]
    hooked.run_due(timezone.now() + timedelta(seconds=61))
    assert names(inbox) == ["b", "a"]


def test_late_ones_can_be_hurried(hooked, inbox, order, rename):
    order("delay", seconds=600)
    rename("a")
    hooked.settle()
    assert requests.post(f"{hooked.api_base}/_control/webhooks/retry", timeout=5).json() == {"retried": 1}
    hooked.run_due()
    assert names(inbox) == ["a"]


def test_reordered_ones_all_arrive(hooked, inbox, order, rename):
    order("reorder")
    webhook_faults.chance.seed(1)
    given = list("abcdefgh")
    rename(*given)
    hooked.settle()
    assert sorted(names(inbox)) == given
    assert names(inbox) != given


def test_only_the_types_and_the_account_meant_are_struck(hooked, inbox, client, order, rename):
    order("drop", types=["invoice.*", "customer.deleted"])
    order("drop", account="acct_other")
    rename("a")
    hooked.settle()
    assert names(inbox) == ["a"]
    order("drop", types=["customer.*"], account=hooked.account)
    rename("b")
    hooked.settle()
    assert names(inbox) == ["a"]
    assert Delivery.objects.filter(state="dropped").count() == 1


def test_orders_are_listed_and_called_off(hooked, inbox, order, rename):
    order("drop")
    order("delay", seconds=5, account=hooked.account)
    url = f"{hooked.api_base}/_control/webhooks"
    listed = requests.get(url, timeout=5).json()["webhooks"]
    assert [(o["kind"], o["account"]) for o in listed] == [("drop", ""), ("delay", hooked.account)]
    assert len(requests.delete(f"{url}?account={hooked.account}", timeout=5).json()["webhooks"]) == 1
    assert requests.delete(url, timeout=5).json() == {"webhooks": []}
    rename("a")
    hooked.settle()
    assert names(inbox) == ["a"]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"kind": "burn"}, "kind"),
        ({"kind": "drop", "types": "invoice.paid"}, "types"),
        ({"kind": "drop", "times": 0}, "times"),
        ({"kind": "delay", "seconds": "soon"}, "seconds"),
        ({"kind": "drop", "account": 5}, "account"),
        ({"kind": "drop", "colour": "red"}, "nothing else"),
    ],
)
def test_orders_that_make_no_sense_are_refused(order, wrong, named):
    answer = order(**wrong)
    assert answer.status_code == 400
    assert named in answer.json()["error"]
