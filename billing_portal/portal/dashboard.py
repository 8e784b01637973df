"""The first screen: what is owed, what needs a person, what happens in the next 24 hours, and whether all works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.http import HttpResponse
from django.urls import reverse

from billing_portal.portal.access import OperatorRequest, screen
from billing_portal.portal.charts import BarChart, Series
from billing_portal.portal.figures import AGES, Amounts, Collected, Figures, figures_of
from billing_portal.portal.first_steps import first_steps
from billing_portal.portal.health import health
from billing_portal.portal.invoice_filters import AWAITING_APPROVAL, FAILED, past_due
from billing_portal.portal.invoices import Row, rows_of
from billing_portal.portal.navigation import show
from billing_portal.portal.notices import notices_of
from billing_portal.portal.planned import Asked, Clock, count_planned, planned
from billing_portal.portal.stripe_card import interruption
from invoicing.invoices.models import Invoice

SHOWN = 8
AHEAD = timedelta(hours=24)
MOST_COUNTED = 1000


@dataclass(frozen=True)
class Card:
    """``amounts`` are (currency, minor units): currencies are never added up."""

    title: str
    icon: str
    tab: str
    figures: Amounts
    tone: str = ""
    notes: Sequence[str] = field(default_factory=list)

    @property
    def link(self) -> str:
        return f"{reverse('portal:invoices')}?status={self.tab}"


@screen
def dashboard(request: OperatorRequest) -> HttpResponse:
    clock = Clock(request.now, request.real_now)
    figures = figures_of(request.vendor, request.now)
    until = request.now + AHEAD
    steps = first_steps(request)
    context = {
        "cards": cards(figures),
        "charts": charts(figures),
        "steps": steps,
        "steps_done": sum(step.is_done for step in steps),
        "steps_left": any(not step.is_done for step in steps),
        "notices": notices_of(request.vendor),
        "attention": needing_attention(request),
        "interruption": interruption(request.vendor),
        "planned": planned(request.vendor, clock, Asked(until=until), SHOWN),
        "planned_count": count_planned(request.vendor, clock, until, MOST_COUNTED),
        "health": health(request),
    }
    return show(request, "portal/dashboard.html", context, title="Dashboard", area="dashboard")


def cards(figures: Figures) -> list[Card]:
    here, collected = figures.open, figures.collected
    paid = Amounts(figures.collected_count, [(row.currency, row.amount) for row in collected if row.amount])
    lately = f"{here.failed_lately} in the last 7 days" if here.failed.count else ""
    return [
        Card("Outstanding", "account_balance_wallet", "issued", here.outstanding),
        Card("Past due", "alarm", "past-due", here.late, "warning"),
        Card("Paid in 30 days", "paid", "paid", paid, "success", [change_of(row) for row in collected]),
        Card("Failed", "error", "failed", here.failed, "danger", [lately] if lately else []),
        Card("Awaiting approval", "person_check", "approval", here.approval, "info"),
    ]


def change_of(row: Collected) -> str:
    """Against the 30 days before."""
    if not row.change:
        return f"{row.currency}: nothing in the 30 days before" if row.amount else ""
    return f"{row.currency}: {row.change} on the 30 days before"


def charts(figures: Figures) -> list[BarChart]:
    """Two for each currency."""
    drawn = [
        BarChart(
            f"weeks-{currency}",
            f"Invoiced and collected by week, {currency}",
            currency,
            "Week from",
            [f"{week.start.day} {week.start:%b}" for week in weeks],
            [
                Series("Invoiced", "accent", [week.invoiced for week in weeks]),
                Series("Collected", "green", [week.collected for week in weeks]),
            ],
        )
        for currency, weeks in figures.weeks
    ]
    ages = [name for name, _, _ in AGES]
    for currency, sums in figures.open.ages:
        tone = Series("Past due", "red", sums)
        drawn.append(BarChart(f"ages-{currency}", f"Past due by age, {currency}", currency, "Past due", ages, [tone]))
    return sorted(drawn, key=lambda chart: chart.currency)


def needing_attention(request: OperatorRequest) -> Sequence[Row]:
    """What waits for a person, the latest first."""
    waiting = Invoice.objects.of(request.vendor).filter(FAILED | AWAITING_APPROVAL | past_due(request.now))
    return rows_of(request, list(waiting.select_related("customer").order_by("-generated_at", "-pk")[:SHOWN]))
