"""Settings were saved: what has not been issued yet moves to its new time, with one statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, DateTimeField, ExpressionWrapper, F, Q, QuerySet, Value, When

from customers.claims import unclaimed
from customers.customer import Customer
from customers.settings.expressions import grace_period
from customers.settings.policy import BillingPolicy, vendor_policy
from customers.vendor import Vendor
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import InvoiceAction, InvoiceStatus
from invoicing.subscriptions import advance


@dataclass(frozen=True, slots=True)
class Move:
    """What is planned of one customer, from when to when."""

    customer: str
    step: str
    at: datetime
    to: datetime


@dataclass(frozen=True, slots=True)
class Moves:
    """``first`` are those that come first now."""

    count: int
    first: Sequence[Move]


def would_move(
    vendor: Vendor, customer: Customer | None, policy: BillingPolicy, *, real_now: datetime, most: int = 5
) -> Moves:
    """What these settings would move if they were saved. Changes nothing, and asks four queries."""
    grace = grace_period("payment_grace_period", policy) if customer is None else Value(policy.payment_grace_period)
    planned = ExpressionWrapper(F("generated_at") + grace, output_field=DateTimeField())
    moved = _movable(vendor, customer, real_now).annotate(planned=planned).exclude(issue_date=F("planned"))
    cycles = advance.would_move(vendor, customer, policy)
    issues = _first(moved.annotate(step=Value("issue")), "issue_date", most)
    generations = _first(cycles.annotate(step=Value("generation")), "next_action_at", most)
    first = sorted([*issues, *generations], key=lambda move: move.at)[:most]
    return Moves(moved.count() + cycles.count(), first)


def _first(rows: QuerySet[Any], by: str, most: int) -> list[Move]:
    named = rows.order_by(by, "pk").values_list("customer__display_name", "step", by, "planned")
    return [Move(*row) for row in named[:most]]


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
    # One statement, so that an approval at this moment falls either before it or after it, never between two.
    return moved.update(
        issue_date=planned, next_action_at=Case(When(by_itself, then=planned), default="next_action_at")
    )
