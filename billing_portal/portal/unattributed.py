"""Measurements that are nobody's yet, and what each is waiting for."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import QuerySet
from django.http import HttpResponse, QueryDict

from billing_portal.portal.access import OperatorRequest, screen
from billing_portal.portal.keyset import newest_first
from billing_portal.portal.navigation import show
from billing_portal.portal.plan_lines import read_labels
from customers.vendor import Vendor
from invoicing.usage.models import UnattributedMeasurement

Reason = UnattributedMeasurement.Reason

REMEDIES: Mapping[Reason, str] = {
    Reason.NO_METER: "Create a meter with this name or event name.",
    Reason.NO_CUSTOMER: "Create the customer, or add a mapping that matches these labels to one.",
    Reason.SEVERAL_CUSTOMERS: "Change the mappings so that only one customer matches these labels.",
    Reason.MISSING_LABEL: "Send it again with every primary label of its meter.",
}


@screen
def unattributed_list(request: OperatorRequest) -> HttpResponse:
    reason = request.GET.get("reason", "")
    rows = chosen_rows(request.vendor, request.GET)
    page = newest_first(rows, "received_at", before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    context = {
        "page": page,
        "rows": [(row, REMEDIES[Reason(row.reason)]) for row in page.rows],
        "reasons": [("", "All"), *TABS],
        "reason": reason if reason in Reason.values else "",
        "search": request.GET.get("q", "").strip(),
    }
    return show(request, "portal/catalog/unattributed.html", context, title="Unattributed usage", area="unattributed")


def chosen_rows(vendor: Vendor, asked: QueryDict) -> QuerySet[UnattributedMeasurement]:
    """What the list shows on its pages. Searched by what an index finds: the name that was sent for a customer, whole,
    or a label such as account=acme."""
    reason, text = asked.get("reason", ""), asked.get("q", "").strip()
    rows = UnattributedMeasurement.objects.of(vendor)
    if text:
        labels = read_labels(text) if "=" in text else {}
        rows = rows.filter(labels__contains=labels) if labels else rows.filter(customer_name=text)
    return rows.filter(reason=reason) if reason in Reason.values else rows


TABS = (
    (Reason.NO_METER.value, "No meter"),
    (Reason.NO_CUSTOMER.value, "No customer"),
    (Reason.SEVERAL_CUSTOMERS.value, "Several customers"),
    (Reason.MISSING_LABEL.value, "Label missing"),
)
