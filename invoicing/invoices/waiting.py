"""Invoices that wait because the gateway cannot be reached or has no account to act with.

Each is held back for a while and then tried again by itself; it has not failed. When somebody has cured the
reason there is no need to wait the rest of it.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from customers.vendor import Vendor
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import InvoiceAction

AT_GATEWAY = (
    InvoiceAction.ISSUE,
    InvoiceAction.COLLECT,
    InvoiceAction.REFUND,
    InvoiceAction.VOID_AT_GATEWAY,
    InvoiceAction.MARK_PAID_AT_GATEWAY,
)


def waiting(vendor: Vendor) -> QuerySet[Invoice]:
    """Those whose next step was tried and put off, with the reason in ``last_error``."""
    return Invoice.objects.of(vendor).filter(next_action__in=AT_GATEWAY).exclude(last_error="")


def go_on(vendor: Vendor, *, real_now: datetime) -> int:
    """Let the next tick take up what is held back. How many are."""
    held = waiting(vendor).filter(claim_token__isnull=True, claimed_until__gt=real_now)
    return held.update(claimed_until=None)
