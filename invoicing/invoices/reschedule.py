"""Settings were saved: what has not been issued yet moves to its new time, with one statement."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F, Q, QuerySet, Value

from customers.claims import unclaimed
from customers.customer import Customer
from customers.settings.expressions import grace_period
from customers.settings.policy import BillingPolicy, vendor_policy
from customers.vendor import Vendor
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import InvoiceAction, InvoiceStatus
from invoicing.subscriptions import advance


def would_move(vendor: Vendor, customer: Customer | None, policy: BillingPolicy, *, real_now: datetime) -> int:
    """How many planned invoices these settings would move if they were saved. Changes nothing."""
    grace = grace_period("payment_grace_period", policy) if customer is None else Value(policy.payment_grace_period)
    moved = _movable(vendor, customer, real_now).exclude(issue_date=F("generated_at") + grace)
    return moved.count() + advance.would_move(vendor, customer, policy)


def _movable(vendor: Vendor, customer: Customer | None, real_now: datetime) -> QuerySet[Invoice]:
    planned = [InvoiceAction.ISSUE, InvoiceAction.APPROVE]
    rows = Invoice.objects.of(vendor).filter(
        unclaimed(real_now), status=InvoiceStatus.GENERATED, next_action__in=planned
    )
    return rows if customer is None else rows.filter(customer=customer)


def reschedule_invoices(vendor: Vendor, customer: Customer | None, *, real_now: datetime) -> int:
    """Move the issue of generated invoices of a vendor, or of one customer. Returns how many moved.

    Invoices a worker has in hand at this moment are left to it; it reads the settings itself.
    """
    planned = F("generated_at") + grace_period("payment_grace_period", vendor_policy(vendor))
    moved = _movable(vendor, customer, real_now).exclude(issue_date=planned)
    by_itself = Q(next_action=InvoiceAction.ISSUE, paused_at__isnull=True)
    approved = moved.filter(by_itself).update(issue_date=planned, next_action_at=planned)
    return approved + moved.exclude(by_itself).update(issue_date=planned)
