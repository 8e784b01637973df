"""What people in billing do by hand in the demonstration, through the same verbs as the portal's buttons."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from customers.actors import Actor
from customers.customer import Customer
from customers.vendor import Vendor
from invoicing.invoices import lifecycle
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import OPEN, InvoiceAction, InvoiceStatus
from invoicing.subscriptions.verbs import end_subscription


class Desk:
    """One person at work. ``before`` and ``since`` speak of the billing cycle that an invoice is for."""

    def __init__(self, vendor: Vendor, actor: Actor) -> None:
        self.vendor = vendor
        self.actor = actor

    def approve(self, customer: str, *, before: datetime) -> None:
        waiting = self._invoices(customer, before=before)
        for invoice in waiting.filter(status=InvoiceStatus.GENERATED, next_action=InvoiceAction.APPROVE):
            lifecycle.approve(invoice, actor=self.actor, **self._times())

    def note_transfer(self, customer: str, *, before: datetime) -> None:
        """The money came by bank transfer."""
        for invoice in self._invoices(customer, before=before).filter(status__in=OPEN):
            lifecycle.mark_paid(invoice, actor=self.actor, **self._times())

    def void(self, customer: str, *, since: datetime, before: datetime, reason: str) -> None:
        invoices = self._invoices(customer, before=before).filter(period_start__gte=since, status__in=OPEN)
        for invoice in invoices:
            lifecycle.void(invoice, actor=self.actor, reason=reason, **self._times())

    def end_subscription(self, customer: str) -> None:
        row = Customer.objects.of(self.vendor).get(name=customer)
        row.vendor = self.vendor
        if row.subscriptions.filter(expired_at__isnull=True).exists():
            end_subscription(row, at_cycle_end=True, actor=self.actor, **self._times())

    def _invoices(self, customer: str, *, before: datetime) -> QuerySet[Invoice]:
        rows = Invoice.objects.of(self.vendor).select_related("vendor", "customer")
        return rows.filter(customer__name=customer, period_start__lt=before).order_by("period_start")

    def _times(self) -> dict[str, datetime]:
        real_now = timezone.now()
        return {"now": self.vendor.now(real_now), "real_now": real_now}
