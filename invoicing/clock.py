"""How this room takes part when a test vendor's clock is moved."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Max, Min, QuerySet

from customers.due import due_at
from customers.vendor import Vendor
from invoicing import tasks
from invoicing.invoices import mailing
from invoicing.invoices.advance import advance
from invoicing.invoices.models import Invoice, OutgoingEmail
from invoicing.invoices.past_due import tell_past_due, untold
from invoicing.invoices.reminders import remind_due
from invoicing.subscriptions import usage_limits
from invoicing.subscriptions.models import AddOnChange, BillingCycle

ACTION, REMINDER, DUE = "next_action_at", "next_reminder_at", "due_date"


class InvoicingClock:
    def next_due(self, vendor: Vendor, *, after: datetime) -> datetime | None:
        return min(filter(None, (_earliest(rows, column, after) for rows, column in _planned(vendor))), default=None)

    def last_due(self, vendor: Vendor, *, by: datetime) -> datetime | None:
        return max(filter(None, (_latest(rows, column, by) for rows, column in _planned(vendor))), default=None)

    def settle(self, vendor: Vendor, *, now: datetime, real_now: datetime) -> bool:
        # Before cycles end, so that they are told of while they last.
        looked = usage_limits.check_limits(real_now=real_now, vendor=vendor)
        if looked or not _anything(vendor, now):
            return bool(looked)
        due = due_at(vendor, now)
        advance(due, real_now=real_now, hand_over=tasks.hand_over)
        while remind_due(due_at(vendor, now, REMINDER), real_now=real_now):
            pass
        while tell_past_due(due_at(vendor, now, DUE), real_now=real_now):
            pass
        mailing.hand_out(due, real_now=real_now, hand_over=tasks.hand_over_email)
        return _anything(vendor, now)

    def follow(self, vendor: Vendor) -> None:
        """Levels come to more by time alone."""
        usage_limits.note_levels(vendor)


def _planned(vendor: Vendor) -> list[tuple[QuerySet[Any], str]]:
    """Where this room writes what it will do, and the column that says when."""
    invoices, emails = Invoice.objects.of(vendor), OutgoingEmail.objects.of(vendor)
    cycles, unpaid = BillingCycle.objects.of(vendor), untold().filter(vendor=vendor)
    added = AddOnChange.objects.of(vendor)
    return [
        (invoices, ACTION), (invoices, REMINDER), (emails, ACTION), (cycles, ACTION), (unpaid, DUE), (added, ACTION),
    ]  # fmt: skip


def _anything(vendor: Vendor, now: datetime) -> bool:
    return any(rows.filter(due_at(vendor, now, column)).exists() for rows, column in _planned(vendor))


def _earliest(rows: QuerySet[Any], column: str, after: datetime) -> datetime | None:
    moment: datetime | None = rows.filter(**{f"{column}__gt": after}).aggregate(at=Min(column))["at"]
    return moment


def _latest(rows: QuerySet[Any], column: str, by: datetime) -> datetime | None:
    moment: datetime | None = rows.filter(**{f"{column}__lte": by}).aggregate(at=Max(column))["at"]
    return moment
