"""May a month's measurements be dropped? Not while any billing cycle that touches it has yet to be invoiced, or its
invoice may be generated again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time

from django.db.models import Q

from customers.errors import Conflict
from invoicing.invoices.states import BEFORE_ISSUE
from invoicing.subscriptions.models import BillingCycle, CycleAction
from invoicing.subscriptions.rules import cycle_rule
from invoicing.usage.dropping import waiting_before

# Named in a refusal; the rest is counted.
_NAMED = 5


def check_invoiced(before: date) -> None:
    """Raises ``Conflict`` naming what is in the way of dropping all measurements of before that month."""
    until = datetime.combine(before, time(), UTC)
    found = list(_unfinished(until, at_most=_NAMED + 1))
    if found:
        more = ", and others" if len(found) > _NAMED else ""
        raise Conflict(
            f"Not everything of before {before:%Y-%m} is invoiced for good: {', '.join(found[:_NAMED])}{more}. "
            "Wait until those invoices are issued (or issue, void or approve them), or name an earlier month."
        )
    if waiting := waiting_before(until):
        raise Conflict(
            f"{waiting:,} measurements of before {before:%Y-%m} still wait for their customer or meter "
            "(Usage -> Unattributed): give them one, or name an earlier month."
        )


def _unfinished(until: datetime, *, at_most: int) -> Iterator[str]:
    to_come = Q(next_action__in=[CycleAction.OPEN, CycleAction.END, CycleAction.GENERATE])
    may_change = Q(invoice__status__in=BEFORE_ISSUE)
    deleted = Q(next_action=CycleAction.NONE, invoice__isnull=True)
    rows = BillingCycle.objects.filter(to_come | may_change | deleted, start__lt=until).order_by("start", "pk")
    told = 0
    for cycle in rows.select_related("vendor", "customer", "subscription__price_plan", "invoice").iterator():
        if _is_left_alone(cycle):
            continue
        yield f"{cycle.customer.name} ({cycle.vendor.name}), {cycle.start:%Y-%m-%d} to {cycle.end:%Y-%m-%d}"
        told += 1
        if told == at_most:
            return


def _is_left_alone(cycle: BillingCycle) -> bool:
    """A trial that is over has no invoice, and no time no usage."""
    if cycle.next_action or hasattr(cycle, "invoice"):
        return False
    return cycle.start == cycle.end or cycle_rule(cycle.subscription, cycle.vendor.zone).is_trial(cycle.index)
