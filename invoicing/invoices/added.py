"""What is added to a running subscription and charged immediately gets an invoice of its own, from its moment on.

It bills the added number for the rest of the billing cycle (of the several that its price is for, where they are billed
together), as what is billed in advance does: the cycle's own invoice knows of it, makes up for what is missing and
gives back what was too much.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from customers.claims import retry_delay
from customers.settings import steady
from customers.settings.policy import BillingPolicy
from invoicing.invoices.generation import generate_addition
from invoicing.invoices.models import Invoice
from invoicing.invoices.opening import ahead_of
from invoicing.invoices.trial_credits import TrialCredits
from invoicing.rating.add_ons import added_line
from invoicing.rating.ahead import NOTHING_AHEAD, in_advance, left_to_discount
from invoicing.rating.discounts import discount_lines
from invoicing.rating.terms import RatedLine
from invoicing.subscriptions.add_ons import addition
from invoicing.subscriptions.advance import policies_of
from invoicing.subscriptions.discounts import discounts_of
from invoicing.subscriptions.models import AddOnAction, AddOnChange, BillingCycle, CycleAction, Subscription
from invoicing.subscriptions.rules import cycle_rule
from invoicing.subscriptions.terms import terms_for

logger = logging.getLogger(__name__)

_RUNNING = (CycleAction.OPEN, CycleAction.END)
# Until a billing cycle is looked for again that is about to begin.
_SOON = timedelta(minutes=1)


def charge_added(due: QuerySet[AddOnChange], *, limit: int, real_now: datetime) -> int:
    """Bill up to ``limit`` due additions, those of a subscription together. Answers how many were dealt with; one that
    cannot be billed is set aside with its error and delays nobody."""
    rows = due.filter(next_action=AddOnAction.CHARGE).order_by("next_action_at", "pk")
    by_subscription: dict[tuple[int, int], list[int]] = {}
    for pk, *whose in rows.values_list("pk", "vendor_id", "subscription_id")[:limit]:
        by_subscription.setdefault((whose[0], whose[1]), []).append(pk)
    for (vendor, subscription), ids in by_subscription.items():
        try:
            with transaction.atomic():
                steady.hold(vendor)
                _charge(subscription, ids, real_now)
        except Exception as error:
            logger.exception("Add-ons of subscription %s could not be charged", subscription)
            _set_aside(ids, error, real_now)
    return sum(map(len, by_subscription.values()))


def _set_aside(ids: Sequence[int], error: Exception, real_now: datetime) -> None:
    for change in AddOnChange.objects.filter(pk__in=ids, next_action=AddOnAction.CHARGE).select_related("vendor"):
        change.failures += 1
        change.last_error = f"{type(error).__name__}: {error}"
        change.next_action_at = change.vendor.now(real_now) + retry_delay(change.failures)
        change.save(update_fields=["failures", "last_error", "next_action_at"])


def _charge(subscription_id: int, ids: Sequence[int], real_now: datetime) -> None:
    """The subscription is locked first, as when its cycles end and are billed."""
    Subscription.objects.select_for_update(no_key=True).get(pk=subscription_id)
    rows = AddOnChange.objects.select_for_update(of=("self",)).filter(pk__in=ids, next_action=AddOnAction.CHARGE)
    changes = list(rows.select_related("vendor", "subscription", "add_on").order_by("effective_at", "pk"))
    by_cycle: dict[BillingCycle, list[AddOnChange]] = {}
    for change in changes:
        cycle = _cycle_of(change)
        if cycle is not None:
            by_cycle.setdefault(cycle, []).append(change)
        elif _is_over(change):
            _done([change])
        else:
            AddOnChange.objects.filter(pk=change.pk).update(next_action_at=change.vendor.now(real_now) + _SOON)
    for cycle, added in by_cycle.items():
        _bill(cycle, added, real_now)
        _done(added)


def _cycle_of(change: AddOnChange) -> BillingCycle | None:
    rows = BillingCycle.objects.filter(subscription=change.subscription_id, start__lte=change.effective_at)
    rows = rows.select_related("vendor", "customer", "subscription__price_plan")
    return rows.filter(end__gt=change.effective_at).first()


def _is_over(change: AddOnChange) -> bool:
    expires = change.subscription.expired_at
    return expires is not None and expires <= change.effective_at


def _done(changes: Sequence[AddOnChange]) -> None:
    ids = [change.pk for change in changes]
    AddOnChange.objects.filter(pk__in=ids).update(
        next_action=AddOnAction.NONE, next_action_at=None, last_error="", failures=0
    )


def _bill(cycle: BillingCycle, changes: Sequence[AddOnChange], real_now: datetime) -> Invoice | None:
    """None where another invoice has it: that of the cycle's start, or that of an end which has come. A trial is
    free."""
    cycle.customer.vendor = cycle.vendor
    policies = policies_of([cycle])
    if cycle.next_action not in _RUNNING or cycle_rule(cycle.subscription, cycle.vendor.zone).is_trial(cycle.index):
        return None
    mine = [change for change in changes if not _is_opened_with(cycle, change, policies[cycle.customer_id])]
    lines = _lines(cycle, mine, policies)
    if not lines:
        return None
    if any(change.effective_at == cycle.start for change in mine):
        # Nobody shall bill the cycle's start once more if the settings change meanwhile.
        BillingCycle.objects.filter(pk=cycle.pk).update(opened=True)
    return generate_addition(cycle, lines, policies, real_now)


def _is_opened_with(cycle: BillingCycle, change: AddOnChange, policy: BillingPolicy) -> bool:
    """What is there from the very start of a cycle on may be billed in advance with all else."""
    if change.effective_at > cycle.start:
        return False
    if cycle.next_action == CycleAction.OPEN:
        return True
    if opening := Invoice.objects.filter(opens=cycle).first():
        return opening.generated_at >= change.created_at
    before = Q(subscription=cycle.subscription_id, index=cycle.index - 1)
    if cycle.subscription.follows_id:
        before |= Q(subscription=cycle.subscription.follows_id)
    is_pending = BillingCycle.objects.filter(before).exclude(next_action=CycleAction.NONE).exists()
    return policy.invoice_fixed_components_at_start and is_pending


def _lines(
    cycle: BillingCycle, changes: Sequence[AddOnChange], policies: Mapping[int, BillingPolicy]
) -> list[RatedLine]:
    """Those of the additions, less discounts and what the credit of a trial pays."""
    terms = terms_for([cycle])
    plan = terms[cycle.pk]
    found = [added_line(one, plan.currency, cycle.end) for change in changes if (one := addition(cycle, change))]
    if not any(line.amount for line in found):
        return []
    ahead = ahead_of([cycle], policies, {}, terms).get(cycle.pk, NOTHING_AHEAD)
    discounts = left_to_discount(discounts_of([cycle])[cycle.pk], ahead)
    lowered = discount_lines(found, discounts, plan, found[0].start, cycle.end)
    lines = in_advance([*found, *(line for line in lowered if line.amount)])
    return TrialCredits([cycle.subscription]).take(cycle, lines, in_advance=True)
