"""Bills whatever is due, without waiting for the schedule."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from invoicing.invoices.generation import generate_due
from invoicing.models import BillingCycle, Invoice
from invoicing.subscriptions.advance import end_due_cycles


def bill_until(moment: datetime) -> list[Invoice]:
    """End the cycles that are over at ``moment`` of the vendors' time, generate their invoices; all there are, oldest
    first."""
    due = BillingCycle.objects.filter(next_action_at__lte=moment)
    while end_due_cycles(due.all(), limit=100, real_now=timezone.now()):
        pass
    generate_due(due.all(), limit=100, real_now=timezone.now())
    assert [cycle.last_error for cycle in BillingCycle.objects.exclude(last_error="")] == []
    return list(Invoice.objects.select_related("vendor", "customer").order_by("period_start", "pk"))
