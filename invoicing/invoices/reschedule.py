"""Settings were saved: what has not been issued yet moves to its new time, with one statement."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F, Q

from customers.claims import unclaimed
from customers.customer import Customer
from customers.settings.expressions import grace_period
from customers.settings.policy import vendor_policy
from customers.vendor import Vendor
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import InvoiceAction, InvoiceStatus


def reschedule_invoices(vendor: Vendor, customer: Customer | None, *, real_now: datetime) -> int:
    """Move the issue of generated invoices of a vendor, or of one customer. Returns how many moved.

    Invoices a worker has in hand at this moment are left to it; it reads the settings itself.
    """
    waiting = Invoice.objects.of(vendor).filter(unclaimed(real_now), status=InvoiceStatus.GENERATED)
    if customer is not None:
        waiting = waiting.filter(customer=customer)
    planned = F("generated_at") + grace_period("payment_grace_period", vendor_policy(vendor))
    moved = waiting.filter(next_action__in=[InvoiceAction.ISSUE, InvoiceAction.APPROVE]).exclude(issue_date=planned)
    by_itself = Q(next_action=InvoiceAction.ISSUE, paused_at__isnull=True)
    approved = moved.filter(by_itself).update(issue_date=planned, next_action_at=planned)
    return approved + moved.exclude(by_itself).update(issue_date=planned)
