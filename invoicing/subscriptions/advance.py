"""Time passes: due billing cycles end, the next ones open, and settings move what is still to be generated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import QuerySet

from customers.customer import Customer
from customers.settings.policy import BillingPolicy, policies_for
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
    policies = _policies(due)
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


def _policies(cycles: Iterable[BillingCycle]) -> dict[int, BillingPolicy]:
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


def reschedule(vendor: Vendor, customer: Customer | None, *, now: datetime, real_now: datetime) -> int:
    """Billing settings were saved: invoices not generated yet move with the invoice grace period.

    One statement, in the transaction of the saving. Answers how many moved. A moment that has passed by
    the new settings is due at once.
    """
    waiting = BillingCycle.objects.of(vendor).filter(next_action=CycleAction.GENERATE)
    if customer is not None:
        waiting = waiting.filter(customer=customer)
    customer_ids = list(waiting.order_by().values_list("customer_id", flat=True).distinct())
    graces = {pk: policy.invoice_grace_period for pk, policy in policies_for(vendor, customer_ids).items()}
    return _move(vendor, graces)


def _move(vendor: Vendor, graces: dict[int, timedelta]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, [list(graces), list(graces.values()), vendor.pk])
        return int(cursor.rowcount)


_MOVE = """
    UPDATE invoicing_billingcycle AS cycle
    SET next_action_at = cycle."end" + moved.grace
    FROM unnest(%s::bigint[], %s::interval[]) AS moved(customer_id, grace)
    WHERE cycle.vendor_id = %s AND cycle.next_action = 'generate' AND cycle.customer_id = moved.customer_id
      AND cycle.next_action_at IS DISTINCT FROM cycle."end" + moved.grace
"""
