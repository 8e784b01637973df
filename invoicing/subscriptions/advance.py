"""Time passes: due billing cycles end, the next ones open, and settings move what is still to be generated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, QuerySet, Value

from customers.customer import Customer
from customers.settings import steady
from customers.settings.expressions import grace_period
from customers.settings.policy import BillingPolicy, policies_for, vendor_policy
from customers.vendor import Vendor
from invoicing.subscriptions.models import BillingCycle, CycleAction
from invoicing.subscriptions.rules import cycle_rule, planned_cycle


def end_due_cycles(cycles: QuerySet[BillingCycle], *, limit: int, real_now: datetime) -> int:
    """End up to ``limit`` of ``cycles``, which are due, and open their successors. Answers how many ended.

    One transaction, and a number of queries that does not grow with ``limit`` (two for each vendor's settings).
    Rows that somebody else holds are left to them.
    """
    with transaction.atomic():
        due = planned_in_peace(
            cycles.filter(next_action=CycleAction.END)
            .select_related("vendor", "subscription__price_plan", "subscription__followed_by")
            .select_for_update(skip_locked=True, no_key=True, of=("self", "subscription"))
            .order_by("next_action_at", "pk")[:limit]
        )
        if due:
            policies = policies_of(due)
            _end(due, policies)
            BillingCycle.objects.bulk_create(_successors(due, policies))
    return len(due)


def planned_in_peace(cycles: Iterable[BillingCycle]) -> list[BillingCycle]:
    """Without those of vendors whose settings are being saved at this moment: the next look finds them."""
    found = list(cycles)
    vendors = steady.try_to_hold({cycle.vendor_id for cycle in found}) if found else set()
    return [cycle for cycle in found if cycle.vendor_id in vendors]


def _end(due: Sequence[BillingCycle], policies: Mapping[int, BillingPolicy]) -> None:
    at_once = [_is_changed_midway(cycle) for cycle in due]
    graces = [
        timedelta(0) if now else policies[cycle.customer_id].invoice_grace_period
        for cycle, now in zip(due, at_once, strict=True)
    ]
    trials = [cycle_rule(cycle.subscription, cycle.vendor.zone).is_trial(cycle.index) for cycle in due]
    with connection.cursor() as cursor:
        cursor.execute(_END, [[cycle.pk for cycle in due], graces, at_once, trials])


# "end" is quoted because it is a keyword. A trial has no invoice.
_END = """
    UPDATE invoicing_billingcycle AS cycle
    SET ended_at = cycle."end", at_once = due.at_once,
        next_action = CASE WHEN due.trial THEN '' ELSE 'generate' END,
        next_action_at = CASE WHEN due.trial THEN NULL ELSE cycle."end" + due.grace END
    FROM unnest(%s::bigint[], %s::interval[], %s::bool[], %s::bool[]) AS due(id, grace, at_once, trial)
    WHERE cycle.id = due.id
"""


def _is_changed_midway(cycle: BillingCycle) -> bool:
    """A change of plan is invoiced at once, unless it is at the end of a billing cycle."""
    changed = getattr(cycle.subscription, "followed_by", None) is not None
    return changed and cycle.end < cycle_rule(cycle.subscription, cycle.vendor.zone).bounds(cycle.index)[1]


def policies_of(cycles: Iterable[BillingCycle]) -> dict[int, BillingPolicy]:
    """Which settings apply, by the cycles' customer: two queries a vendor, however many cycles."""
    customers: dict[Vendor, set[int]] = {}
    for cycle in cycles:
        customers.setdefault(cycle.vendor, set()).add(cycle.customer_id)
    return {pk: policy for vendor, ids in customers.items() for pk, policy in policies_for(vendor, ids).items()}


def _successors(ended: Iterable[BillingCycle], policies: Mapping[int, BillingPolicy]) -> list[BillingCycle]:
    return [
        _successor(cycle, policies[cycle.customer_id])
        for cycle in ended
        if cycle.subscription.expired_at is None or cycle.subscription.expired_at > cycle.end
    ]


def _successor(cycle: BillingCycle, policy: BillingPolicy) -> BillingCycle:
    """Its fixed items are billed in advance by the invoice of ``cycle``, but a trial has none."""
    zone = cycle.vendor.zone
    after_trial = cycle_rule(cycle.subscription, zone).is_trial(cycle.index)
    opens = after_trial and policy.invoice_fixed_components_at_start
    return planned_cycle(cycle.subscription, zone, cycle.index + 1, start=cycle.end, opens=opens)


def reschedule(vendor: Vendor, customer: Customer | None) -> int:
    """Billing settings were saved: invoices not generated yet move with the invoice grace period.

    One statement, in the transaction of the saving. Answers how many moved. A moment that has passed by
    the new settings is due at once.
    """
    planned = F("end") + grace_period("invoice_grace_period", vendor_policy(vendor))
    return _movable(vendor, customer).exclude(next_action_at=planned).update(next_action_at=planned)


def would_move(vendor: Vendor, customer: Customer | None, policy: BillingPolicy) -> QuerySet[BillingCycle]:
    """Those that these settings would move if they were saved; ``planned`` is to when."""
    grace = grace_period("invoice_grace_period", policy) if customer is None else Value(policy.invoice_grace_period)
    planned = ExpressionWrapper(F("end") + grace, output_field=DateTimeField())
    return _movable(vendor, customer).annotate(planned=planned).exclude(next_action_at=F("planned"))


def _movable(vendor: Vendor, customer: Customer | None) -> QuerySet[BillingCycle]:
    waiting = BillingCycle.objects.of(vendor).filter(next_action=CycleAction.GENERATE, at_once=False)
    return waiting if customer is None else waiting.filter(customer=customer)
