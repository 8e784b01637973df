"""The first screen: what is owed, what needs a person, what happens in the next 24 hours, and whether all works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.http import HttpResponse
from django.urls import reverse

from billing_portal.portal.access import OperatorRequest, screen
from billing_portal.portal.charts import Bars, Series, Value, compact
from billing_portal.portal.figures import AGES, Amounts, Collected, Figures, Week, figures_of
from billing_portal.portal.first_steps import first_steps
from billing_portal.portal.health import health
from billing_portal.portal.invoice_filters import LATE, URGENT, past_due
from billing_portal.portal.navigation import show
from billing_portal.portal.notices import notices_of
from billing_portal.portal.planned import Asked, Clock, count_planned, planned, sum_of
from billing_portal.portal.stripe_card import interruption
from customers.money import format_money, to_major
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import Attention

SHOWN = 8
AHEAD = timedelta(hours=24)


@dataclass(frozen=True)
class Card:
    """``amounts`` are (currency, minor units): currencies are never added up."""

    title: str
    icon: str
    tab: str
    figures: Amounts
    tone: str = ""
    notes: Sequence[str] = field(default_factory=list)
    filters: str = ""

    @property
    def link(self) -> str:
        """To the invoices that were counted."""
        return f"{reverse('portal:invoices')}?status={self.tab}{self.filters}"


@screen
def dashboard(request: OperatorRequest) -> HttpResponse:
    clock = Clock(request.now, request.real_now)
    figures = figures_of(request.vendor, request.now)
    until = request.now + AHEAD
    steps = first_steps(request)
    there_is = count_planned(request.vendor, clock, until)
    context = {
        "cards": cards(figures),
        "charts": charts(figures),
        "steps": steps,
        "steps_done": sum(step.is_done for step in steps),
        "steps_left": any(not step.is_done for step in steps),
        "notices": notices_of(request.vendor),
        "attention": needing_attention(request),
        "interruption": interruption(request.vendor),
        "planned": planned(request.vendor, clock, Asked(until=until, kinds=there_is, explained=False), SHOWN),
        "planned_count": sum_of(there_is),
        "health": health(request),
    }
    return show(request, "portal/dashboard.html", context, title="Dashboard", area="dashboard")


def cards(figures: Figures) -> list[Card]:
    here, collected = figures.open, figures.collected
    paid = Amounts(figures.collected_count, [(row.currency, row.amount) for row in collected if row.amount])
    changes = [change_of(row) for row in collected]
    lately = f"{here.failed_lately} in the last 7 days" if here.failed.count else ""
    return [
        Card("Outstanding", "account_balance_wallet", "open", here.outstanding),
        Card("Past due", "alarm", "past-due", here.late, "warning"),
        Card("Paid in 30 days", "paid", "paid", paid, "success", changes, f"&paid_from={figures.collected_since}"),
        Card("Failed", "error", "failed", here.failed, "danger", [lately] if lately else []),
        Card("Awaiting approval", "person_check", "approval", here.approval, "info"),
    ]


def change_of(row: Collected) -> str:
    """Against the 30 days before."""
    if not row.change:
        return f"{row.currency}: nothing in the 30 days before" if row.amount else ""
    return f"{row.currency}: {row.change} on the 30 days before"


@dataclass(frozen=True)
class Charts:
    """Of one currency; None where there is nothing to be seen."""

    currency: str
    weeks: Bars | None
    ages: Bars | None


def charts(figures: Figures) -> list[Charts]:
    ages = dict(figures.open.ages)
    currencies = sorted({*dict(figures.weeks), *ages})
    weeks = dict(figures.weeks)
    return [
        Charts(
            code,
            _weekly(code, weeks[code]) if code in weeks else None,
            _aged(code, ages[code]) if code in ages else None,
        )
        for code in currencies
    ]


def _weekly(currency: str, weeks: Sequence[Week]) -> Bars:
    invoiced = Series("Invoiced", [week.invoiced for week in weeks])
    collected = Series("Collected", [week.collected for week in weeks])
    labels = [f"{week.start.day} {week.start:%b}" for week in weeks]
    return _money_bars(
        f"Invoiced and collected by week, {currency}", "Week from", labels, [invoiced, collected], currency
    )


def _aged(currency: str, sums: Sequence[int]) -> Bars:
    ages = [name for name, _, _ in AGES]
    return _money_bars(f"Past due by days, {currency}", "Days past due", ages, [Series("Past due", sums)], currency)


def _money_bars(title: str, of: str, labels: Sequence[str], series: Sequence[Series], currency: str) -> Bars:
    def written(minor: Value) -> str:
        return format_money(int(minor), currency)

    def short(minor: Value) -> str:
        return compact(to_major(minor, currency))

    return Bars(title, of, labels, series, written, short)


def needing_attention(request: OperatorRequest) -> Sequence[Invoice]:
    """What waits for a person, the most urgent first, and then who is late longest."""
    rows = Invoice.objects.of(request.vendor).select_related("customer")
    waiting = rows.filter(attention__gt=Attention.NONE).order_by(*URGENT.names(falling=True))
    late = rows.filter(past_due(request.now)).order_by(*LATE.names(falling=False))
    found = {invoice.pk: invoice for invoice in [*waiting[:SHOWN], *late[:SHOWN]]}
    return list(found.values())[:SHOWN]
