"""The questions asked of many invoices: the tabs of the list, the cards of the dashboard, the badge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, F, Q, QuerySet

from customers.vendor import Vendor
from invoicing.invoices.ledger import DisputeState
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import OPEN, InvoiceAction, InvoiceStatus

S = InvoiceStatus

FAILED = Q(status__in=[S.INVOICING_FAILED, S.PAYMENT_FAILED])
AWAITING_APPROVAL = Q(status=S.GENERATED, next_action=InvoiceAction.APPROVE)
NOT_FINALIZED = ~Q(status_error="") & Q(status__in=sorted(OPEN))
PAUSED = Q(paused_at__isnull=False)
DISPUTED = ~Q(dispute_state="")
UNANSWERED = Q(dispute_state=DisputeState.NEEDS_RESPONSE)
OUTSTANDING = Q(status__in=sorted(OPEN))


def past_due(now: datetime) -> Q:
    return OUTSTANDING & Q(due_date__lt=now, amount_due__gt=F("amount_paid"))


@dataclass(frozen=True)
class Tab:
    key: str
    label: str
    condition: Q
    empty: str


def tabs(now: datetime) -> Sequence[Tab]:
    nothing_yet = "An invoice appears here when a billing cycle ends and its invoice grace period is over."
    return (
        Tab("", "All", Q(), nothing_yet),
        Tab("generated", "Generated", Q(status=S.GENERATED), "No invoice is inside its payment grace period."),
        Tab("approval", "Needs approval", AWAITING_APPROVAL, "No invoice waits for a person."),
        Tab("issued", "Issued", Q(status=S.ISSUED), "No issued invoice waits for its payment."),
        Tab("past-due", "Past due", past_due(now), "Nobody is late. Unpaid invoices appear here after their due date."),
        Tab("failed", "Failed", FAILED | NOT_FINALIZED, "Nothing has failed."),
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
    rows = Invoice.objects.of(vendor)
    text = text.strip()
    if not text:
        return rows
    return rows.filter(
        Q(number__istartswith=text)
        | Q(external_invoice_number__istartswith=text)
        | Q(external_invoice_id=text)
        | Q(customer__name__istartswith=text)
        | Q(customer__display_name__icontains=text)
        | Q(customer__email__istartswith=text)
    )


def counts(rows: QuerySet[Invoice], choices: Sequence[Tab]) -> Mapping[str, int]:
    """How many rows each tab holds, with one query."""
    wanted = {f"n{i}": Count("pk", filter=tab.condition) for i, tab in enumerate(choices)}
    found = rows.aggregate(**wanted)
    return {tab.key: found[f"n{i}"] for i, tab in enumerate(choices)}


def count_needing_attention(vendor: Vendor) -> int:
    """What waits for a person; shown beside "Invoices" in the sidebar."""
    return Invoice.objects.of(vendor).filter(FAILED | NOT_FINALIZED | AWAITING_APPROVAL | UNANSWERED).count()
