"""From a subscription's rows to the rule of its billing cycles."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from invoicing.catalog.models import Period
from invoicing.subscriptions.cycles import CycleRule
from invoicing.subscriptions.models import BillingCycle, CycleAction, Subscription


def cycle_rule(subscription: Subscription, zone: ZoneInfo) -> CycleRule:
    """Touches ``price_plan``: load it with the subscription."""
    months = Period(subscription.price_plan.period).months
    return CycleRule(
        subscription.effective_at, zone, months, subscription.align_to_calendar, subscription.trial_ends_at
    )


def planned_cycle(
    subscription: Subscription,
    zone: ZoneInfo,
    index: int,
    start: datetime | None = None,
    *,
    opens: bool = False,
) -> BillingCycle:
    """The unsaved cycle of this number, cut where the subscription ends before it.

    ``start`` is the end of the cycle before: none overlap or leave a gap when the vendor moves to another zone.
    ``opens``: the first thing to happen to it is that its fixed items are billed in advance.
    """
    planned_start, end = cycle_rule(subscription, zone).bounds(index)
    start, end = start or planned_start, cut(end, subscription.expired_at)
    return BillingCycle(
        vendor_id=subscription.vendor_id,
        subscription=subscription,
        customer_id=subscription.customer_id,
        index=index,
        start=start,
        end=end,
        next_action=CycleAction.OPEN if opens else CycleAction.END,
        next_action_at=start if opens else end,
    )


def cut(end: datetime, expired_at: datetime | None) -> datetime:
    return end if expired_at is None else min(end, expired_at)


def ends_span(cycle: BillingCycle, rule: CycleRule, every: int) -> bool:
    """Whether it is the last of the cycles that are billed together, or the one in which all ends."""
    return cycle.end == cycle.subscription.expired_at or cycle.index == rule.span(cycle.index, every)[1]


def current_bounds(subscription: Subscription, zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    """The cycle that holds ``now`` (the first one of a subscription that is still to start)."""
    rule = cycle_rule(subscription, zone)
    start, end = rule.bounds(rule.index_at(max(now, subscription.effective_at)))
    return start, cut(end, subscription.expired_at)
