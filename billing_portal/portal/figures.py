"""The figures of the dashboard. Every sum is of one currency; two are never added up.

Three queries, however many invoices: what is open now, what was issued and what was paid day by day. The last two read
nothing but their index.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, TruncDate

from billing_portal.portal.invoice_filters import REMAINING, chosen
from customers.vendor import Vendor
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import BEFORE_ISSUE, OPEN, InvoiceStatus

WEEKS = 12
MONTH_DAYS, WEEK_DAYS = 30, 7
# (name, from, until): how many days past due. The last has no end.
AGES = (("0–30", 0, 30), ("31–60", 31, 60), ("61–90", 61, 90), ("over 90", 91, None))

Daily = Mapping[str, Mapping[date, int]]


@dataclass(frozen=True)
class Amounts:
    """How many invoices, and by currency how much money."""

    count: int = 0
    amounts: Sequence[tuple[str, int]] = ()


@dataclass(frozen=True)
class Open:
    """What is open at this moment. ``ages`` are (currency, amounts by age)."""

    outstanding: Amounts
    late: Amounts
    failed: Amounts
    failed_lately: int
    approval: Amounts
    ages: Sequence[tuple[str, Sequence[int]]]


@dataclass(frozen=True)
class Week:
    start: date
    invoiced: int
    collected: int


@dataclass(frozen=True)
class Collected:
    """In the last 30 days, today included, and in the 30 days before those."""

    currency: str
    amount: int
    before: int

    @property
    def change(self) -> str:
        """+12 %; empty where there is nothing to compare with."""
        if not self.before:
            return ""
        return f"{round(100 * (self.amount - self.before) / self.before):+d} %"


@dataclass(frozen=True)
class Figures:
    open: Open
    collected: Sequence[Collected]
    collected_count: int
    collected_since: date
    weeks: Sequence[tuple[str, Sequence[Week]]] = field(default_factory=list)


def figures_of(vendor: Vendor, now: datetime) -> Figures:
    today = now.astimezone(vendor.zone).date()
    monday = today - timedelta(days=today.weekday(), weeks=WEEKS - 1)
    since = min(monday, today - timedelta(days=2 * MONTH_DAYS - 1))
    paid, counts = _daily(vendor, "paid_at", "amount_paid", since, now)
    issued, _ = _daily(vendor, "issued_at", "amount_due", since, now, ~Q(status=InvoiceStatus.VOIDED))
    month = today - timedelta(days=MONTH_DAYS - 1)
    return Figures(
        open=_open(vendor, now),
        collected=_collected(paid, month),
        collected_count=sum(number for day, number in counts.items() if day >= month),
        collected_since=month,
        weeks=_weeks(issued, paid, monday),
    )


def _open(vendor: Vendor, now: datetime) -> Open:
    """Everything that is asked of open invoices, with one query, a row for each currency."""
    failed = chosen(now, "failed").condition
    asked = {
        "outstanding": Q(status__in=sorted(OPEN)),
        "late": chosen(now, "past-due").condition,
        "failed": failed,
        "approval": chosen(now, "approval").condition,
    }
    wanted: dict[str, Any] = {}
    for name, condition in asked.items():
        wanted[f"{name}_count"] = Count("pk", filter=condition)
        wanted[f"{name}_sum"] = Coalesce(Sum(REMAINING, filter=condition), 0)
    for place, condition in enumerate(_by_age(vendor, now)):
        wanted[f"age{place}"] = Coalesce(Sum(REMAINING, filter=asked["late"] & condition), 0)
    wanted["lately"] = Count("pk", filter=failed & _tried_since(now - timedelta(days=WEEK_DAYS)))
    rows = Invoice.objects.of(vendor).filter(status__in=sorted(OPEN | BEFORE_ISSUE)).values("currency")
    found: list[dict[str, Any]] = [dict(row) for row in rows.annotate(**wanted).order_by("currency")]
    ages = [(row["currency"], [row[f"age{place}"] for place in range(len(AGES))]) for row in found]
    return Open(
        **{name: _amounts(found, name) for name in asked},
        failed_lately=sum(row["lately"] for row in found),
        ages=[(currency, sums) for currency, sums in ages if any(sums)],
    )


def _amounts(found: Iterable[Mapping[str, Any]], name: str) -> Amounts:
    mine = [row for row in found if row[f"{name}_count"]]
    return Amounts(sum(row[f"{name}_count"] for row in mine), [(row["currency"], row[f"{name}_sum"]) for row in mine])


def _tried_since(moment: datetime) -> Q:
    return Q(latest_payment_attempt_at__gte=moment) | Q(latest_invoice_attempt_at__gte=moment)


def _by_age(vendor: Vendor, now: datetime) -> list[Q]:
    """By whole days of the vendor's zone since the due date."""
    today = now.astimezone(vendor.zone).date()

    def start_of(days_ago: int) -> datetime:
        return datetime.combine(today - timedelta(days=days_ago), time(), vendor.zone)

    ages = [Q(due_date__lt=start_of(first - 1)) for _, first, _ in AGES]
    return [
        age if last is None else age & Q(due_date__gte=start_of(last))
        for age, (_, _, last) in zip(ages, AGES, strict=True)
    ]


def _daily(
    vendor: Vendor, moment: str, amount: str, since: date, now: datetime, only: Q | None = None
) -> tuple[Daily, Mapping[date, int]]:
    """Sums by currency and day of the vendor's zone, and how many invoices by day."""
    start = datetime.combine(since, time(), vendor.zone)
    rows: QuerySet[Invoice] = Invoice.objects.of(vendor).filter(
        only or Q(), **{f"{moment}__gte": start, f"{moment}__lte": now}
    )
    by_day = rows.annotate(day=TruncDate(moment, tzinfo=vendor.zone)).values_list("currency", "day")
    sums: defaultdict[str, dict[date, int]] = defaultdict(dict)
    counts: defaultdict[date, int] = defaultdict(int)
    for currency, day, total, number in by_day.annotate(Sum(amount), number=Count("*")).order_by():
        sums[currency][day] = total
        counts[day] += number
    return sums, counts


def _collected(paid: Daily, month: date) -> list[Collected]:
    before = month - timedelta(days=MONTH_DAYS)
    rows = [
        Collected(
            currency,
            sum(amount for day, amount in days.items() if day >= month),
            sum(amount for day, amount in days.items() if before <= day < month),
        )
        for currency, days in sorted(paid.items())
    ]
    return [row for row in rows if row.amount or row.before]


def _weeks(issued: Daily, paid: Daily, monday: date) -> list[tuple[str, list[Week]]]:
    starts = [monday + timedelta(weeks=place) for place in range(WEEKS)]

    def total(days: Mapping[date, int], start: date) -> int:
        return sum(days.get(start + timedelta(days=place), 0) for place in range(WEEK_DAYS))

    return [
        (currency, [Week(s, total(issued.get(currency, {}), s), total(paid.get(currency, {}), s)) for s in starts])
        for currency in sorted({*issued, *paid})
    ]
