"""Measurements that are nobody's yet, and what each is waiting for."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpResponse

from billing_portal.portal.access import OperatorRequest, screen
from billing_portal.portal.keyset import newest_first
from billing_portal.portal.navigation import show
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
    rows = UnattributedMeasurement.objects.of(request.vendor)
    if reason in Reason.values:
        rows = rows.filter(reason=reason)
    page = newest_first(rows, "received_at", before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    context = {
        "page": page,
        "rows": [(row, REMEDIES[Reason(row.reason)]) for row in page.rows],
        "reasons": [("", "All"), *TABS],
        "reason": reason if reason in Reason.values else "",
    }
    return show(request, "portal/catalog/unattributed.html", context, title="Unattributed usage", area="unattributed")


TABS = (
    (Reason.NO_METER.value, "No meter"),
    (Reason.NO_CUSTOMER.value, "No customer"),
    (Reason.SEVERAL_CUSTOMERS.value, "Several customers"),
    (Reason.MISSING_LABEL.value, "Label missing"),
)
