"""How this room takes part when a test vendor's clock is moved."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Min

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

    def settle(self, vendor: Vendor, *, now: datetime, real_now: datetime) -> bool:
        due = due_at(vendor, now)
        advance(due, real_now=real_now, hand_over=tasks.hand_over)
        return Invoice.objects.filter(due).exists() or BillingCycle.objects.filter(due).exists()

    def follow(self, vendor: Vendor) -> None:
        """Nothing is kept here that depends on the clock."""


def _earliest(rows: object) -> datetime | None:
    moment: datetime | None = rows.aggregate(at=Min("next_action_at"))["at"]  # type: ignore[attr-defined]
    return moment
