"""What would the running billing cycle cost if nothing more were used, and when is its invoice due?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from customers.errors import Missing
from customers.settings.policy import policy_for
from invoicing.invoices.rated import rated_lines
from invoicing.invoices.schedule import issue_time
from invoicing.invoices.taxing import flat_tax
from invoicing.rating.terms import RatedLine
from invoicing.subscriptions.models import BillingCycle, Subscription


@dataclass(frozen=True, slots=True)
class PreviewedInvoice:
    """The running cycle's invoice as it stands: fixed items for the whole cycle, usage up to ``usage_until``.

    ``generated_at`` is when the invoice grace period ends, ``issued_at`` when the payment grace period does;
    an invoice that needs a person's approval has no time of issue.
    """

    currency: str
    period_start: datetime
    period_end: datetime
    usage_until: datetime
    lines: tuple[RatedLine, ...]
    sub_total: int
    tax_amount: int
    amount_due: int
    generated_at: datetime
    issued_at: datetime | None


def preview(subscription: Subscription, *, now: datetime) -> PreviewedInvoice:
    """Raises ``Missing`` where no cycle is running. The number of queries does not grow with the plan or its usage."""
    cycle = running_cycle(subscription, now)
    if cycle is None:
        raise Missing("No billing cycle of this subscription is running.")
    return preview_of(cycle, now=now)


def running_cycle(subscription: Subscription, now: datetime) -> BillingCycle | None:
    cycles = subscription.cycles.select_related("vendor", "customer__vendor", "subscription__price_plan")
    return cycles.filter(start__lte=now, end__gt=now).first()


def preview_of(cycle: BillingCycle, *, now: datetime) -> PreviewedInvoice:
    """``cycle`` comes with ``vendor``, ``customer__vendor`` and ``subscription__price_plan`` loaded."""
    policy = policy_for(cycle.customer)
    lines = rated_lines([cycle], {cycle.customer_id: policy}, until=now)[cycle.pk]
    sums = flat_tax(policy, cycle.customer.tax_exempt).totals(line.amount for line in lines)
    generated_at = cycle.end + policy.invoice_grace_period
    return PreviewedInvoice(
        currency=cycle.subscription.price_plan.currency,
        period_start=cycle.start,
        period_end=cycle.end,
        usage_until=now,
        lines=tuple(lines),
        sub_total=sums.sub_total,
        tax_amount=sums.tax_amount,
        amount_due=sums.amount_due,
        generated_at=generated_at,
        issued_at=issue_time(generated_at, policy) if policy.auto_approve_invoices else None,
    )
