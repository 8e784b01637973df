"""/metrics for Prometheus: how much waits, and how long the oldest has waited. Counted when asked, from the rows
themselves, so that every web process says the same and nothing is lost with a process. What was done, how fast, and
how Stripe answered comes from counters that all processes share (``customers/counters.py``).

Each figure is read from a partial index over what waits, so that asking costs as much as there is waiting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import cast

import redis
from django.conf import settings
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from billing_portal import heartbeats
from customers import counters
from payments.stripe import watching

# Where Celery's tasks wait in the broker.
CELERY_QUEUE = "celery"
PATIENCE = 2.0


@dataclass(frozen=True)
class Queue:
    """``sql`` answers one row: how many wait, and for how many seconds the oldest does."""

    name: str
    sql: str


def _due(table: str) -> str:
    """By each vendor's own clock: a test clock may be far ahead."""
    return f"""
        SELECT count(*), max(extract(epoch FROM vendor.now - due.next_action_at))
        FROM (SELECT id, coalesce(clock_frozen_at, now() + clock_offset) AS now FROM customers_vendor) AS vendor
        JOIN {table} AS due ON due.vendor_id = vendor.id AND due.next_action_at <= vendor.now
    """  # noqa: S608 - the tables below


def _waiting(table: str, since: str, condition: str) -> str:
    return f"SELECT count(*), max(extract(epoch FROM now() - {since})) FROM {table} WHERE {condition}"  # noqa: S608


QUEUES: Sequence[Queue] = (
    Queue("invoices", _due("invoicing_invoice")),
    Queue("billing_cycles", _due("invoicing_billingcycle")),
    Queue("emails", _due("invoicing_outgoingemail")),
    Queue("stripe_webhooks", _waiting("payments_stripeevent", "received_at", "state = 'pending'")),
    Queue("events", _waiting("customers_event", "created_at", "dispatched_at IS NULL")),
    Queue("webhook_deliveries", _waiting("customers_webhookdelivery", "created_at", "state = 'pending'")),
)


class Waiting(Collector):
    """``real_now`` is when it was asked."""

    def __init__(self, real_now: datetime) -> None:
        self.real_now = real_now

    def collect(self) -> Iterator[Metric]:
        depth = GaugeMetricFamily("billing_portal_waiting", "What is due and not done.", labels=["queue"])
        age = GaugeMetricFamily("billing_portal_oldest_seconds", "How long the oldest has waited.", labels=["queue"])
        for queue in QUEUES:
            count, seconds = ask(queue.sql)
            depth.add_metric([queue.name], count)
            age.add_metric([queue.name], seconds)
        yield from (depth, age, self._signs_of_life())
        yield from self._broker()
        yield from _done(counters.counted() or {})

    def _broker(self) -> Iterator[GaugeMetricFamily]:
        """Without Redis there is no sample."""
        try:
            with redis.Redis.from_url(settings.CELERY_BROKER_URL, socket_timeout=PATIENCE) as client:
                waiting = int(cast(int, client.llen(CELERY_QUEUE)))
        except redis.RedisError:
            return
        yield GaugeMetricFamily("billing_portal_broker_tasks", "Tasks that no worker has taken yet.", value=waiting)

    def _signs_of_life(self) -> GaugeMetricFamily:
        """Without Redis, and of a program that was never seen, there is no sample: alert on its absence."""
        seen = GaugeMetricFamily(
            "billing_portal_heartbeat_seconds", "Since the program was alive last.", labels=["program"]
        )
        for program, at in (heartbeats.last_seen() or {}).items():
            if at is not None:
                seen.add_metric([program], (self.real_now - at).total_seconds())
        return seen


def _done(counted: Mapping[str, float]) -> Iterator[Metric]:
    billed = CounterMetricFamily("billing_portal_cycles_billed", "Ended or opened cycles that were dealt with.")
    billed.add_metric([], counted.get("cycles_billed", 0))
    steps = CounterMetricFamily(
        "billing_portal_invoice_steps", "Steps of invoices that were taken.", labels=["step", "outcome"]
    )
    calls = CounterMetricFamily("billing_portal_stripe_calls", "Calls to Stripe.", labels=["mode", "outcome"])
    for family, prefix in ((steps, "invoice_steps:"), (calls, f"{watching.CALLS}:")):
        for name in sorted(filter(lambda one: one.startswith(prefix), counted)):
            family.add_metric(name.split(":")[1:], counted[name])
    yield from (billed, steps, calls, _stripe_latency(counted))


def _stripe_latency(counted: Mapping[str, float]) -> HistogramMetricFamily:
    """Prometheus wants each bucket to hold what is in those below it as well."""
    family = HistogramMetricFamily("billing_portal_stripe_seconds", "How long calls to Stripe took.", labels=["mode"])
    for mode in ("test", "live"):
        total = sum(n for name, n in counted.items() if name.startswith(f"{watching.CALLS}:{mode}:"))
        if total:
            each = [counted.get(f"{watching.BUCKET}:{mode}:{end:g}", 0.0) for end in watching.BUCKETS]
            ends = [f"{end:g}" for end in watching.BUCKETS]
            buckets = [*zip(ends, accumulate(each), strict=True), ("+Inf", total)]
            family.add_metric([mode], buckets, counted.get(f"{watching.SECONDS}:{mode}", 0.0))
    return family


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """404 without ``METRICS_TOKEN`` in the environment, or without it in the request."""
    expected = f"Bearer {settings.METRICS_TOKEN}"
    if not settings.METRICS_TOKEN or not constant_time_compare(request.headers.get("Authorization", ""), expected):
        raise Http404
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Waiting(timezone.now()))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def ask(sql: str) -> tuple[int, float]:
    """How many wait in a queue, and for how many seconds the oldest does."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        count, seconds = cursor.fetchone()
    return int(count), max(float(seconds or 0), 0.0)
