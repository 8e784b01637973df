"""System -> Scheduled work: what is going to happen, when and why, what is late, and the buttons that change it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import prefetch_related_objects
from django.http import HttpResponse, QueryDict

from billing_portal.portal.access import OperatorRequest, screen
from billing_portal.portal.billing_run import run_of
from billing_portal.portal.invoice_verbs import Button, offered
from billing_portal.portal.navigation import show
from billing_portal.portal.planned import KIND_LABELS, Asked, Clock, Planned, planned, read_position
from invoicing.invoices.verbs import InvoiceVerb

SIZE = 25
# What can be done about a planned step without opening the invoice.
OFFERED = (InvoiceVerb.PUSH, InvoiceVerb.PAUSE)
FAILING = "failing"
SPANS = {"": "All", "late": "Late", "day": "Next 24 hours", "week": "Next 7 days", FAILING: "Failing"}


@dataclass(frozen=True)
class Row:
    entry: Planned
    buttons: Sequence[Button]
    is_late: bool

    @property
    def kind(self) -> str:
        return KIND_LABELS[self.entry.kind]


@screen
def scheduled(request: OperatorRequest) -> HttpResponse:
    clock = Clock(request.now, request.real_now)
    (kind, span), asked = chosen(request.GET, request.now)
    asked = replace(asked, position=read_position(request.GET.get("after", "")))
    found = planned(request.vendor, clock, asked, SIZE + 1)
    # What the buttons have to know of them.
    prefetch_related_objects([entry.invoice for entry in found if entry.invoice], "payments", "refunds", "disputes")
    rows = [Row(entry, _buttons(request, entry), entry.at <= request.now) for entry in found[:SIZE]]
    context = {
        "rows": rows,
        "later": found[SIZE - 1].position if len(found) > SIZE else "",
        "is_first": asked.position is None,
        "kinds": {"": "Everything", **KIND_LABELS},
        "kind": kind,
        "spans": SPANS,
        "span": span,
        **run_of(request),
    }
    return show(request, "portal/desk/scheduled.html", context, title="Scheduled work", area="scheduled")


def chosen(given: QueryDict, now: datetime) -> tuple[tuple[str, str], Asked]:
    """The kind and the span of time that were chosen, and what the list shows for them."""
    kind, span = given.get("kind", ""), _span(given.get("late", ""))
    kind = kind if kind in KIND_LABELS else ""
    until = {"late": now, "day": now + timedelta(hours=24), "week": now + timedelta(days=7)}
    return (kind, span), Asked({kind} if kind else None, until=until.get(span), failing=span == FAILING)


def _span(text: str) -> str:
    return {"yes": "late"}.get(text, text if text in SPANS else "")


def _buttons(request: OperatorRequest, entry: Planned) -> Sequence[Button]:
    if entry.invoice is None:
        return []
    return [button for button in offered(request, entry.invoice) if button.verb in OFFERED]
