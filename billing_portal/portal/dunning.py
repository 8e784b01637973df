"""Dunning: who owes money late or could not be charged, what is done about it next, when, and by whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.http import HttpResponse, QueryDict

from billing_portal.portal.access import OperatorRequest, screen
from billing_portal.portal.invoice_filters import (
    LATE,
    OUTSTANDING,
    PAUSED,
    REMAINING,
    Tab,
    matching,
    overdue,
    tab_counts,
)
from billing_portal.portal.keyset import paged
from billing_portal.portal.navigation import show
from customers.settings.policy import BillingPolicy, policies_for
from customers.vendor import Vendor
from invoicing.invoices.models import Invoice
from invoicing.invoices.reminders import Reminder, can_be_paid, reminders
from invoicing.invoices.schedule import NextStep, next_step
from invoicing.invoices.states import InvoiceAction, InvoiceStatus

PAYMENT_FAILED = Q(status=InvoiceStatus.PAYMENT_FAILED)
BY_STRIPE = Q(gateway_next_attempt_at__isnull=False)
BY_US = Q(next_action=InvoiceAction.COLLECT, next_action_at__isnull=False)


def tabs(now: datetime) -> Sequence[Tab]:
    """Of what is outstanding, which ``_found`` sees to."""
    late = overdue(now)
    nobody = "Nobody is late, and every charge went through."
    stuck = PAYMENT_FAILED & ~BY_STRIPE & ~BY_US
    return (
        Tab("", "All", PAYMENT_FAILED | late, nobody),
        Tab("failed", "Payment failed", PAYMENT_FAILED, "Every charge went through."),
        Tab("late", "Past due", late, "Nobody is late.", LATE),
        Tab("stripe", "Tried again by Stripe", PAYMENT_FAILED & BY_STRIPE, "Stripe tries no failed payment again."),
        Tab("ours", "Tried again by us", PAYMENT_FAILED & BY_US, "We try no failed payment again."),
        Tab("waiting", "Waits for somebody", stuck, "No failed payment waits for a person or its customer."),
        Tab("paused", "Held back", PAUSED, "Nobody holds an issued invoice back."),
    )


@dataclass(frozen=True)
class Row:
    """``step`` is what happens to the payment next, ``by`` who does it; ``reminder`` is the next e-mail of ours."""

    invoice: Invoice
    step: NextStep
    by: str
    reminder: Reminder | None


@dataclass(frozen=True)
class Owed:
    currency: str
    failed: int
    late: int


@screen
def dunning(request: OperatorRequest) -> HttpResponse:
    choices = tabs(request.now)
    tab = next((one for one in choices if one.key == request.GET.get("tab", "")), choices[0])
    search = request.GET.get("q", "").strip()
    found = _found(request.vendor, search)
    page = paged(found.filter(tab.condition).select_related("customer", "vendor"), tab.order, request.GET.dict())
    context = {
        "tabs": choices,
        "tab": tab,
        "counts": tab_counts(request.vendor, found, choices),
        "search": search,
        "page": page,
        "rows": _rows(request, page.rows),
        "owed": _owed(found, request.now),
    }
    return show(request, "portal/dunning.html", context, title="Dunning", area="dunning")


def _found(vendor: Vendor, search: str) -> QuerySet[Invoice]:
    """All that can be dunned for is open: one index holds that, however many invoices were paid."""
    return matching(vendor, search).filter(OUTSTANDING)


def chosen_rows(request: OperatorRequest, asked: QueryDict) -> QuerySet[Invoice]:
    """What the list shows on its pages."""
    tab = next((one for one in tabs(request.now) if one.key == asked.get("tab", "")), tabs(request.now)[0])
    return _found(request.vendor, asked.get("q", "").strip()).filter(tab.condition)


def _owed(found: QuerySet[Invoice], now: datetime) -> list[Owed]:
    """A row for each currency: currencies are never added up."""
    sums: Mapping[str, Any] = {
        "failed": Coalesce(Sum(REMAINING, filter=PAYMENT_FAILED), 0),
        "late": Coalesce(Sum(REMAINING, filter=overdue(now)), 0),
    }
    by_currency = found.values("currency").annotate(**sums).order_by("currency")
    rows: list[dict[str, Any]] = [dict(row) for row in by_currency]
    owed = [Owed(row["currency"], row["failed"], row["late"]) for row in rows]
    return [one for one in owed if one.failed or one.late]


def _rows(request: OperatorRequest, invoices: Sequence[Invoice]) -> list[Row]:
    policies = policies_for(request.vendor, {invoice.customer_id for invoice in invoices})
    return [_row(invoice, policies[invoice.customer_id], request.now) for invoice in invoices]


def _row(invoice: Invoice, policy: BillingPolicy, now: datetime) -> Row:
    planned = reminders(invoice, policy) if can_be_paid(invoice) else []
    reminder = next((one for one in planned if one.at > now), None)
    return Row(invoice, next_step(invoice, policy), _by(invoice), reminder)


def _by(invoice: Invoice) -> str:
    if invoice.paused_at:
        return "A person"
    if invoice.gateway_next_attempt_at is not None:
        return "Stripe"
    if invoice.next_action == InvoiceAction.COLLECT and invoice.next_action_at is not None:
        return "We"
    return "The customer" if invoice.state == InvoiceStatus.ISSUED else "A person or the customer"
