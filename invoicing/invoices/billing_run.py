"""How does a billing run go? What is done, left and failing in each of its stages, and how fast it moves.

A run has no beginning and no end of its own: cycles end whenever they end. So what is *done* are the invoices that went
through a stage within the last day of the vendor's time, what is *left* is what is due at this moment, and *failing* is
what waits for another try or for a person. The *rate* is real: that of the last five minutes.

A long run takes long to count. So whoever looks on is told what was counted last, and counting takes no more than a
tenth of the time, however many look and however much there is.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import add
from typing import Any

from django.core.cache import cache
from django.db.models import Count, IntegerField, Min, Q, QuerySet, Subquery
from django.db.models.expressions import Combinable

from customers.events.models import Event, EventKind
from customers.vendor import Vendor
from invoicing.invoices.advance import BY_ITSELF
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import InvoiceAction, InvoiceStatus
from invoicing.subscriptions.models import BillingCycle

A_RUN = timedelta(days=1)
LATELY = timedelta(minutes=5)
MOST_LOOKED_AT = 2000
SHARE_OF_TIME = 10


@dataclass(frozen=True, slots=True)
class Stage:
    """``per_minute`` is None where nothing has moved lately."""

    name: str
    done: int
    left: int
    failing: int
    per_minute: float | None

    @property
    def done_as(self) -> str:
        return _DONE_AS[self.name]

    @property
    def percent(self) -> int:
        """Whole parts of a hundred; a run that has something left is never told as done."""
        return 100 * self.done // (self.done + self.left) if self.left else 100

    @property
    def minutes_left(self) -> float | None:
        return self.left / self.per_minute if self.left and self.per_minute else None


GENERATE, ISSUE, COLLECT = "Generate", "Issue", "Try payments again"

_DONE_AS = {GENERATE: "generated", ISSUE: "issued or kept here", COLLECT: "paid"}

_FACTS: dict[str, Sequence[EventKind]] = {
    GENERATE: [EventKind.INVOICE_GENERATED],
    ISSUE: [EventKind.INVOICE_ISSUED, EventKind.INVOICE_KEPT, EventKind.INVOICE_ISSUING_FAILED],
    COLLECT: [EventKind.INVOICE_PAID, EventKind.INVOICE_PAYMENT_FAILED],
}


def as_last_counted(vendor: Vendor, *, real_now: datetime) -> list[Stage]:
    """The same for those who look again and again: a second old, or ten times as old as counting takes."""
    key = f"billing-run/{vendor.pk}"
    if (known := cache.get(key)) is not None:
        return [Stage(*columns) for columns in known]
    began = time.perf_counter()
    stages = billing_run(vendor, real_now=real_now)
    took = time.perf_counter() - began
    cache.set(key, [astuple(stage) for stage in stages], timeout=math.ceil(took * SHARE_OF_TIME))
    return stages


def billing_run(vendor: Vendor, *, real_now: datetime) -> list[Stage]:
    """Two queries, and one for each kind of fact."""
    counts = _counts(vendor, vendor.now(real_now))
    return [
        Stage(name, *counts[name], per_minute=_per_minute(vendor, kinds, real_now)) for name, kinds in _FACTS.items()
    ]


def is_moving(stages: Sequence[Stage]) -> bool:
    return any(stage.left for stage in stages)


class _Counted(Subquery):
    template = "(SELECT count(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


# Each counts what is done, left and failing; rows of several tables are counted together.
_Questions = tuple[Sequence[QuerySet[Any]], Sequence[QuerySet[Any]], Sequence[QuerySet[Any]]]


def _counts(vendor: Vendor, now: datetime) -> dict[str, tuple[int, int, int]]:
    """By stage: done, left, failing. With one query."""
    questions = _questions(vendor, now)
    asked = [_together(parts) for three in questions.values() for parts in three]
    found = Vendor.objects.filter(pk=vendor.pk).values_list(*asked)[0]
    return {name: found[place * 3 : place * 3 + 3] for place, name in enumerate(questions)}


def _together(parts: Sequence[QuerySet[Any]]) -> Combinable:
    counted: list[Combinable] = [_Counted(rows.order_by().values("pk")) for rows in parts]
    return reduce(add, counted)


def _questions(vendor: Vendor, now: datetime) -> dict[str, _Questions]:
    cycles, invoices, since = BillingCycle.objects.of(vendor), Invoice.objects.of(vendor), now - A_RUN
    due, raised = invoices.filter(BY_ITSELF, next_action_at__lte=now), Q(failures__gt=0)
    # One that is kept here has no column for when it was.
    kept = Event.objects.of(vendor).filter(kind=EventKind.INVOICE_KEPT, occurred_at__gte=since)
    return {
        GENERATE: (
            [invoices.filter(generated_at__gte=since)],
            [cycles.filter(next_action_at__lte=now)],
            [cycles.filter(raised, next_action_at__isnull=False)],
        ),
        ISSUE: (
            [invoices.filter(issued_at__gte=since), kept],
            [due.filter(next_action=InvoiceAction.ISSUE)],
            [invoices.filter(Q(status=InvoiceStatus.INVOICING_FAILED) | raised & Q(next_action=InvoiceAction.ISSUE))],
        ),
        COLLECT: (
            [invoices.filter(paid_at__gte=since)],
            [due.filter(next_action=InvoiceAction.COLLECT)],
            [invoices.filter(Q(status=InvoiceStatus.PAYMENT_FAILED) | raised & Q(next_action=InvoiceAction.COLLECT))],
        ),
    }


def _per_minute(vendor: Vendor, kinds: Sequence[EventKind], real_now: datetime) -> float | None:
    """By the newest facts. Of each kind no more are read than tell how fast it goes."""
    rates = [_rate(vendor, kind, real_now) for kind in kinds]
    return sum(rates) or None


def _rate(vendor: Vendor, kind: EventKind, real_now: datetime) -> float:
    newest = Event.objects.of(vendor).filter(kind=kind).order_by("-pk").values("pk")[:MOST_LOOKED_AT]
    rows = Event.objects.filter(pk__in=newest, created_at__gt=real_now - LATELY)
    found = rows.aggregate(count=Count("pk"), first=Min("created_at"))
    if not found["count"]:
        return 0.0
    # A chunk that was written at one moment took its time as well.
    seconds: float = max((real_now - found["first"]).total_seconds(), 1.0)
    count: int = found["count"]
    return count * 60 / seconds
