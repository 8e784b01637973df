"""The first screen: what is owed, what needs a person, what happens in the next 24 hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.urls import reverse

from billing_portal.portal.access import OperatorRequest, screen
from billing_portal.portal.invoice_filters import AWAITING_APPROVAL, FAILED, OUTSTANDING, past_due
from billing_portal.portal.invoices import Row, rows_of
from billing_portal.portal.navigation import show
from billing_portal.portal.stripe_card import interruption
from customers.vendor import Vendor
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import InvoiceAction
from invoicing.subscriptions.models import BillingCycle, CycleAction

SHOWN = 8
RECENT = timedelta(days=30)
AHEAD = timedelta(hours=24)


@dataclass
class Card:
    """``amounts`` are (currency, minor units): currencies are never added up."""

    title: str
    icon: str
    tab: str
    count: int = 0
    amounts: list[tuple[str, int]] = field(default_factory=list)
    tone: str = ""

    @property
    def link(self) -> str:
        return f"{reverse('portal:invoices')}?status={self.tab}"


@dataclass(frozen=True)
class Planned:
    at: datetime
    what: str
    who: str
    link: str


@screen
def dashboard(request: OperatorRequest) -> HttpResponse:
    planned, planned_count = next_day(request.vendor, request.now)
    attention = needing_attention(request)
    context = {
        "cards": cards(request.vendor, request.now),
        "attention": attention,
        "interruption": interruption(request.vendor),
        "planned": planned,
        "planned_count": planned_count,
    }
    return show(request, "portal/dashboard.html", context, title="Dashboard", area="dashboard")


def cards(vendor: Vendor, now: datetime) -> list[Card]:
    """All figures with one query, a row for each currency."""
    questions = {
        "outstanding": (OUTSTANDING, F("amount_due") - F("amount_paid")),
        "late": (past_due(now), F("amount_due") - F("amount_paid")),
        "paid": (Q(paid_at__gt=now - RECENT, paid_at__lte=now), F("amount_paid")),
        "failed": (FAILED, F("amount_due") - F("amount_paid")),
        "approval": (AWAITING_APPROVAL, F("amount_due")),
    }
    wanted: dict[str, Any] = {}
    for name, (condition, amount) in questions.items():
        wanted[f"{name}_count"] = Count("pk", filter=condition)
        wanted[f"{name}_sum"] = Coalesce(Sum(amount, filter=condition), 0)
    by_currency = Invoice.objects.of(vendor).values("currency").annotate(**wanted).order_by("currency")
    rows: list[dict[str, Any]] = [dict(row) for row in by_currency]
    made = {
        "outstanding": Card("Outstanding", "account_balance_wallet", "issued"),
        "late": Card("Past due", "alarm", "past-due", tone="warning"),
        "paid": Card("Paid in 30 days", "paid", "paid", tone="success"),
        "failed": Card("Failed", "error", "failed", tone="danger"),
        "approval": Card("Awaiting approval", "person_check", "approval", tone="info"),
    }
    for name, card in made.items():
        card.count = sum(row[f"{name}_count"] for row in rows)
        card.amounts = [(row["currency"], row[f"{name}_sum"]) for row in rows if row[f"{name}_count"]]
    return list(made.values())


def needing_attention(request: OperatorRequest) -> Sequence[Row]:
    """What waits for a person, the latest first."""
    waiting = Invoice.objects.of(request.vendor).filter(FAILED | AWAITING_APPROVAL | past_due(request.now))
    return rows_of(request, list(waiting.select_related("customer").order_by("-generated_at", "-pk")[:SHOWN]))


def next_day(vendor: Vendor, now: datetime) -> tuple[list[Planned], int]:
    """What the schedule is going to do within 24 hours: the first few, and how many there are."""
    until = now + AHEAD
    invoices = Invoice.objects.of(vendor).filter(next_action_at__lte=until).select_related("customer")
    cycles = BillingCycle.objects.of(vendor).filter(next_action_at__lte=until).select_related("customer")
    first = [_planned_invoice(row) for row in invoices.order_by("next_action_at", "pk")[:SHOWN]]
    first += [_planned_cycle(row) for row in cycles.order_by("next_action_at", "pk")[:SHOWN]]
    first.sort(key=lambda planned: planned.at)
    return first[:SHOWN], invoices.count() + cycles.count()


def _planned_invoice(invoice: Invoice) -> Planned:
    assert invoice.next_action_at is not None  # noqa: S101 - the query asked for it
    what = InvoiceAction(invoice.next_action).label if invoice.next_action else "Next step"
    link = reverse("portal:invoice", args=[invoice.uuid])
    return Planned(invoice.next_action_at, f"{what} invoice {invoice.number}".strip(), str(invoice.customer), link)


def _planned_cycle(cycle: BillingCycle) -> Planned:
    assert cycle.next_action_at is not None  # noqa: S101 - the query asked for it
    link = reverse("portal:customer", args=[cycle.customer.name])
    return Planned(cycle.next_action_at, CycleAction(cycle.next_action).label, str(cycle.customer), link)
