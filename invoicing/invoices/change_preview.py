"""What would a change of plan bill? It is made, rated and undone, so that no rule stands here a second time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from customers.settings.policy import policy_for
from invoicing.invoices.rated import drafted
from invoicing.invoices.taxing import flat_tax
from invoicing.rating.terms import RatedLine
from invoicing.subscriptions.models import BillingCycle, CycleAction, Subscription


@dataclass(frozen=True, slots=True)
class ChangePreview:
    """``effective_at`` is when the new plan begins. The lines are those of the invoice that the change leads to: of
    the old plan up to then, with usage as far as it is known, and of what the new plan bills in advance. None where
    nothing is billed before the new plan's first cycle ends, which is at ``first_end``."""

    currency: str
    effective_at: datetime
    first_end: datetime
    trial_ends_at: datetime | None
    lines: tuple[RatedLine, ...]
    sub_total: int
    tax_amount: int
    amount_due: int
    at_once: bool


class _Undo(Exception):
    """Carries the answer out of the transaction that must not stay."""


def preview_change(change: Callable[[], Subscription], *, now: datetime) -> ChangePreview:
    """``change`` makes the change and answers the new subscription. Raises what it refuses with."""
    found: list[ChangePreview] = []
    try:
        with transaction.atomic():
            found.append(_preview(change(), now))
            raise _Undo
    except _Undo:
        return found[0]


def _preview(made: Subscription, now: datetime) -> ChangePreview:
    customer = made.customer
    policy = policy_for(customer)
    first = _cycles(made).earliest("index")
    billed = _billed(made)
    lines = drafted([billed], {customer.pk: policy}, until=now)[billed.pk].lines if billed else []
    sums = flat_tax(policy, customer.tax_exempt).totals(line.amount for line in lines)
    return ChangePreview(
        currency=made.price_plan.currency,
        effective_at=made.effective_at,
        first_end=first.end,
        trial_ends_at=made.trial_ends_at,
        lines=tuple(lines),
        sub_total=sums.sub_total,
        tax_amount=sums.tax_amount,
        amount_due=sums.amount_due,
        at_once=bool(billed) and made.effective_at <= now,
    )


def _billed(made: Subscription) -> BillingCycle | None:
    """The old plan's last cycle; without one, the new plan's first where it is billed in advance."""
    closing = _cycles(made.follows).exclude(next_action=CycleAction.NONE).order_by("-index") if made.follows else None
    if closing and (last := closing.first()):
        return last
    return _cycles(made).filter(next_action=CycleAction.OPEN).first()


def _cycles(subscription: Subscription | None) -> QuerySet[BillingCycle]:
    rows = BillingCycle.objects.filter(subscription=subscription)
    return rows.select_related("vendor", "customer__vendor", "subscription__price_plan")
