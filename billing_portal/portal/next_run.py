"""Billing -> Next run: every invoice of the coming run, those that change most against the last one first."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect

from billing_portal.accounts.roles import Permission
from billing_portal.portal.access import OperatorRequest, may, screen, verb
from billing_portal.portal.keyset import newest_first
from billing_portal.portal.navigation import show
from billing_portal.portal.searching import some_customers
from customers.vendor import Vendor
from invoicing.invoices.coming import ComingBill, coming_bills, run_totals
from invoicing.tasks import work_out_run


@screen
def next_run(request: OperatorRequest) -> HttpResponse:
    rows = chosen_rows(request.vendor, request.GET)
    before, after = request.GET.get("before", ""), request.GET.get("after", "")
    page = newest_first(rows, "deviation", before=before, after=after, number=True)
    context = {
        "page": page,
        "runs": run_totals(request.vendor),
        "worked_out_at": min((bill.worked_out_at for bill in page.rows), default=None),
        "search": request.GET.get("q", "").strip(),
        "editable": may(request, Permission.PUSH_INVOICE),
    }
    return show(request, "portal/invoices/next_run.html", context, title="Next run", area="next_run")


def chosen_rows(vendor: Vendor, asked: QueryDict) -> QuerySet[ComingBill]:
    """What the list shows on its pages."""
    rows, text = coming_bills(vendor).select_related("customer", "cycle"), asked.get("q", "").strip()
    return rows.filter(customer_id__in=some_customers(vendor, text)) if text else rows


@verb(Permission.PUSH_INVOICE)
def work_out(request: OperatorRequest) -> HttpResponse:
    work_out_run.delay(request.vendor.pk)
    messages.success(request, "The coming run is being worked out. Look again in a moment.")
    return redirect("portal:next_run")
