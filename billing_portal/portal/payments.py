"""Billing -> Payments: every attempt to collect, and what went back."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse

from billing_portal.portal.access import OperatorRequest, screen
from billing_portal.portal.exports.lists import payments_of, refunds_of
from billing_portal.portal.keyset import by_number
from billing_portal.portal.navigation import show

TONES = {"succeeded": "success", "failed": "danger", "pending": "warning", "action_required": "warning",
         "sending": "warning"}  # fmt: skip
TABS = (("", "Payments"), ("failed", "Failed payments"), ("refunds", "Refunds"))


@screen
def payment_list(request: OperatorRequest) -> HttpResponse:
    """The newest first, as they were written down here."""
    tab = next((key for key, _ in TABS if key == request.GET.get("tab", "")), "")
    text = request.GET.get("q", "").strip()
    rows: QuerySet[Any] = (
        refunds_of(request.vendor, text) if tab == "refunds" else payments_of(request.vendor, tab, text)
    )
    page = by_number(rows, before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    context = {
        "page": page,
        "rows": [(row, TONES[row.state]) for row in page.rows],
        "tabs": TABS,
        "tab": tab,
        "search": text,
        "exported": "refunds" if tab == "refunds" else "payments",
    }
    return show(request, "portal/payments.html", context, title="Payments", area="payments")
