"""Time passes: due billing cycles end, the next ones open, and settings move what is still to be generated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import connection, transaction
from django.db.models import F, QuerySet

from customers.customer import Customer
from customers.settings.expressions import grace_period
from customers.settings.policy import BillingPolicy, policies_for, vendor_policy
from customers.vendor import Vendor
from invoicing.subscriptions.models import BillingCycle, CycleAction
from invoicing.subscriptions.rules import planned_cycle


def end_due_cycles(cycles: QuerySet[BillingCycle], *, limit: int, real_now: datetime) -> int:
    """End up to ``limit`` of ``cycles``, which are due, and open their successors. Answers how many ended.

    One transaction, and a number of queries that does not grow with ``limit`` (two for each vendor's settings).
    Rows that somebody else holds are left to them.
    """
    with transaction.atomic():
        due = list(
            cycles.filter(next_action=CycleAction.END)
            .select_related("vendor", "subscription__price_plan")
            .select_for_update(skip_locked=True, no_key=True, of=("self", "subscription"))
            .order_by("next_action_at", "pk")[:limit]
        )
        if due:
            _end(due)
            BillingCycle.objects.bulk_create(_successors(due))
    return len(due)


def _end(due: Sequence[BillingCycle]) -> None:
    policies = policies_of(due)
    graces = [policies[cycle.customer_id].invoice_grace_period for cycle in due]
    with connection.cursor() as cursor:
        cursor.execute(_END, [[cycle.pk for cycle in due], graces])


# "end" is quoted because it is a keyword.
_END = """
    UPDATE invoicing_billingcycle AS cycle
    SET ended_at = cycle."end", next_action = 'generate', next_action_at = cycle."end" + due.grace
    FROM unnest(%s::bigint[], %s::interval[]) AS due(id, grace)
    WHERE cycle.id = due.id
"""


def policies_of(cycles: Iterable[BillingCycle]) -> dict[int, BillingPolicy]:
    """Which settings apply, by the cycles' customer: two queries a vendor, however many cycles."""
    customers: dict[Vendor, set[int]] = {}
    for cycle in cycles:
        customers.setdefault(cycle.vendor, set()).add(cycle.customer_id)
    return {pk: policy for vendor, ids in customers.items() for pk, policy in policies_for(vendor, ids).items()}


def _successors(ended: Iterable[BillingCycle]) -> list[BillingCycle]:
    return [
        planned_cycle(cycle.subscription, cycle.vendor.zone, cycle.index + 1, start=cycle.end)
        for cycle in ended
        if cycle.subscription.expired_at is None or cycle.subscription.expired_at > cycle.end
    ]


def reschedule(vendor: Vendor, customer: Customer | None) -> int:
    """Billing settings were saved: invoices not generated yet move with the invoice grace period.

    One statement, in the transaction of the saving. Answers how many moved. A moment that has passed by
    the new settings is due at once.
    """
    waiting = BillingCycle.objects.of(vendor).filter(next_action=CycleAction.GENERATE)
    if customer is not None:
        waiting = waiting.filter(customer=customer)
    planned = F("end") + grace_period("invoice_grace_period", vendor_policy(vendor))
    return waiting.exclude(next_action_at=planned).update(next_action_at=planned)
