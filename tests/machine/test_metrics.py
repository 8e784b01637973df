"""What Prometheus is told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from billing_portal import heartbeats
from customers import counters
from payments.stripe import watching
from tests.factories import InvoiceFactory, VendorFactory

pytestmark = pytest.mark.django_db
KEY = {"Authorization": "Bearer told-to-nobody"}


@pytest.fixture(autouse=True)
def token(settings: Settings) -> None:
    settings.METRICS_TOKEN = "told-to-nobody"


def samples(client: Client) -> dict[tuple[str, ...], float]:
    answer = client.get("/metrics", headers=KEY)
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.content.decode())
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_what_is_due_by_its_vendors_own_clock(client: Client) -> None:
    real_now = timezone.now()
    ahead = VendorFactory.create(is_test=True, clock_offset=timedelta(days=30))
    InvoiceFactory.create(customer__vendor=ahead, next_action_at=real_now + timedelta(days=30, hours=-1))
    InvoiceFactory.create(customer__vendor=ahead, next_action_at=real_now + timedelta(days=31))
    InvoiceFactory.create(next_action_at=real_now + timedelta(minutes=5))
    found = samples(client)
    assert found["billing_portal_waiting", "invoices"] == 1
    assert found["billing_portal_oldest_seconds", "invoices"] == pytest.approx(3600, abs=60)
    assert found["billing_portal_waiting", "emails"] == found["billing_portal_oldest_seconds", "emails"] == 0


def test_signs_of_life(client: Client) -> None:
    cache.delete(f"heartbeat:{heartbeats.BEAT}")
    heartbeats.note(heartbeats.WORKER, timezone.now() - timedelta(seconds=40))
    found = samples(client)
    assert found["billing_portal_heartbeat_seconds", "worker"] == pytest.approx(40, abs=20)
    assert ("billing_portal_heartbeat_seconds", "beat") not in found


def test_what_was_done_and_how_stripe_answered(client: Client) -> None:
    before = samples(client)
    counters.count(cycles_billed=500, **{"invoice_steps:ISSUE:ok": 3, "invoice_steps:ISSUE:error": 1})
    with watching.watched(livemode=True):
        pass
    with pytest.raises(TimeoutError), watching.watched(livemode=True):
        raise TimeoutError
    found = samples(client)
    grown = {key: value - before.get(key, 0) for key, value in found.items() if value != before.get(key, 0)}
    grown.pop(("billing_portal_heartbeat_seconds", "worker"), None)
    took = grown.pop(("billing_portal_stripe_seconds_sum", "live"))
    assert 0 < took < 0.1
    buckets = {key[1]: grown.pop(key) for key in list(grown) if key[0] == "billing_portal_stripe_seconds_bucket"}
    assert set(buckets) == {*map("{:g}".format, watching.BUCKETS), "+Inf"}
    assert set(buckets.values()) == {2}
    assert grown == {
        ("billing_portal_cycles_billed_total",): 500,
        ("billing_portal_invoice_steps_total", "ok", "ISSUE"): 3,
        ("billing_portal_invoice_steps_total", "error", "ISSUE"): 1,
        ("billing_portal_stripe_calls_total", "live", "ok"): 1,
        ("billing_portal_stripe_calls_total", "live", "TimeoutError"): 1,
        ("billing_portal_stripe_seconds_count", "live"): 2,
    }
    assert found["billing_portal_broker_tasks",] >= 0


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer"}, {"Authorization": "Bearer told"}])
def test_nobody_else_is_told(client: Client, header: dict[str, str]) -> None:
    assert client.get("/metrics", headers=header).status_code == 404


def test_without_a_token_it_is_not_there(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404
