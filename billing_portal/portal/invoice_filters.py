"""The questions asked of many invoices: the tabs of the list, the cards of the dashboard, the badge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Greatest

from billing_portal.portal.bounded import Count, count_each
from billing_portal.portal.keyset import Order
from billing_portal.portal.searching import invoices_meant
from customers.vendor import Vendor
from invoicing.invoices.ledger import DisputeState
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import OPEN, Attention, InvoiceAction, InvoiceStatus

S = InvoiceStatus

FAILED = Q(status__in=[S.INVOICING_FAILED, S.PAYMENT_FAILED])
AWAITING_APPROVAL = Q(status=S.GENERATED, next_action=InvoiceAction.APPROVE)
PAUSED = Q(paused_at__isnull=False)
DISPUTED = ~Q(dispute_state="")
UNANSWERED = Q(dispute_state=DisputeState.NEEDS_RESPONSE)
OUTSTANDING = Q(status__in=sorted(OPEN))

# What is still owed, as ``Invoice.amount_remaining`` has it.
REMAINING = Greatest(F("amount_due") - F("amount_credited") - F("amount_from_balance") - F("amount_paid"), 0)

NEWEST = Order("generated_at")
URGENT = Order("generated_at", rank="attention")
LATE = Order("due_date", falling=False)


def past_due(now: datetime) -> Q:
    return OUTSTANDING & overdue(now)


def overdue(now: datetime) -> Q:
    """Past due among what is outstanding: asked twice for that, the database expects far too few rows."""
    return Q(due_date__lt=now, amount_due__gt=F("amount_paid"))


@dataclass(frozen=True)
class Tab:
    key: str
    label: str
    condition: Q
    empty: str
    order: Order = NEWEST


def tabs(now: datetime) -> Sequence[Tab]:
    nothing_yet = "An invoice appears here when a billing cycle ends and its invoice grace period is over."
    late = "Nobody is late. Unpaid invoices appear here after their due date."
    return (
        Tab("", "All", Q(), nothing_yet, URGENT),
        Tab("generated", "Generated", Q(status=S.GENERATED), "No invoice is inside its payment grace period."),
        Tab("approval", "Needs approval", Q(attention=Attention.APPROVAL), "No invoice waits for a person."),
        Tab("issued", "Issued", Q(status=S.ISSUED), "No issued invoice waits for its payment."),
        Tab("open", "Outstanding", OUTSTANDING, "Nobody owes anything."),
        Tab("past-due", "Past due", past_due(now), late, LATE),
        Tab("failed", "Failed", Q(attention=Attention.FAILED), "Nothing has failed."),
        Tab("paid", "Paid", Q(status=S.PAID), "No invoice has been paid yet."),
        Tab("disputed", "Disputed", DISPUTED, "No bank has questioned a payment."),
        Tab("paused", "Held back", PAUSED, "Nobody holds an invoice back."),
        Tab("voided", "Voided", Q(status=S.VOIDED), "No invoice was voided."),
        Tab("uncollectible", "Uncollectible", Q(status=S.UNCOLLECTIBLE), "No invoice was given up."),
    )


def chosen(now: datetime, key: str) -> Tab:
    """The tab of this key, or else the first."""
    choices = tabs(now)
    return next((tab for tab in choices if tab.key == key), choices[0])


def matching(vendor: Vendor, text: str) -> QuerySet[Invoice]:
    """The vendor's invoices whose number, Stripe number or customer a person may have meant."""
    return invoices_meant(vendor, text)


def tab_counts(vendor: Vendor, rows: QuerySet[Invoice], choices: Sequence[Tab]) -> Mapping[str, Count]:
    """How many rows each tab holds, with one query, and none counted further than a list is worth reading."""
    found = {tab.key: rows.filter(tab.condition).order_by(*tab.order.names(tab.order.falling)) for tab in choices}
    return count_each(vendor, found)


def needing_attention(vendor: Vendor) -> QuerySet[Invoice]:
    """What waits for a person, the most urgent first."""
    waiting = Invoice.objects.of(vendor).filter(attention__gt=Attention.NONE)
    return waiting.order_by(*URGENT.names(falling=True))
