"""How this room takes part when a test vendor's clock is moved."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Max, Min, Q, QuerySet

from customers.due import due_at
from customers.vendor import Vendor
from invoicing import tasks
from invoicing.invoices.advance import advance
from invoicing.invoices.models import Invoice
from invoicing.subscriptions.models import BillingCycle


class InvoicingClock:
    def next_due(self, vendor: Vendor) -> datetime | None:
        moments = [_earliest(BillingCycle.objects.of(vendor)), _earliest(Invoice.objects.of(vendor))]
        return min((moment for moment in moments if moment is not None), default=None)

    def last_due(self, vendor: Vendor, *, by: datetime) -> datetime | None:
        moments = [_latest(BillingCycle.objects.of(vendor), by), _latest(Invoice.objects.of(vendor), by)]
        return max((moment for moment in moments if moment is not None), default=None)

    def settle(self, vendor: Vendor, *, now: datetime, real_now: datetime) -> bool:
        due = due_at(vendor, now)
        if not _anything(due):
            return False
        advance(due, real_now=real_now, hand_over=tasks.hand_over)
        return _anything(due)

    def follow(self, vendor: Vendor) -> None:
        """Nothing is kept here that depends on the clock."""


def _anything(due: Q) -> bool:
    return Invoice.objects.filter(due).exists() or BillingCycle.objects.filter(due).exists()


def _earliest(rows: QuerySet[Any]) -> datetime | None:
    moment: datetime | None = rows.aggregate(at=Min("next_action_at"))["at"]
    return moment


def _latest(rows: QuerySet[Any], by: datetime) -> datetime | None:
    moment: datetime | None = rows.filter(next_action_at__lte=by).aggregate(at=Max("next_action_at"))["at"]
    return moment
