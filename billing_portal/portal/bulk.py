"""One button for many invoices of the list: those that are ticked, or all that a tab holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect

from billing_portal.accounts.roles import Permission
from billing_portal.portal.access import OperatorRequest, may, open_verb
from billing_portal.portal.invoice_selection import selection
from billing_portal.portal.navigation import show
from invoicing.invoices.bulk import MOST, act_on_many
from invoicing.invoices.models import Invoice
from invoicing.invoices.verbs import InvoiceVerb

V = InvoiceVerb


@dataclass(frozen=True)
class BulkButton:
    verb: InvoiceVerb
    label: str
    icon: str
    permission: Permission
    question: str
    consequence: str
    done: str


BULK_BUTTONS: Sequence[BulkButton] = (
    BulkButton(
        V.APPROVE, "Approve", "check_circle", Permission.APPROVE_INVOICE, "Approve these invoices?",
        "Each is issued when its payment grace period is over, as the billing settings say.", "approved",
    ),
    BulkButton(
        V.PUSH, "Do the next step now", "fast_forward", Permission.PUSH_INVOICE, "Do their next step now?",
        "Invoices are issued and failed payments tried again at once, which can charge the customers.", "started",
    ),
    BulkButton(
        V.SEND, "Send again", "forward_to_inbox", Permission.SEND_INVOICE, "Send these invoices again?",
        "Each goes to its customer once more, by us or by Stripe, whoever sent it first.", "sent again",
    ),
    BulkButton(
        V.VOID, "Void", "block", Permission.VOID_INVOICE, "Void these invoices?",
        "They are cancelled for good, in Stripe too. This cannot be undone.", "voided",
    ),
)  # fmt: skip


def offered_in_bulk(request: OperatorRequest) -> list[BulkButton]:
    return [button for button in BULK_BUTTONS if may(request, button.permission)]


@open_verb
def bulk(request: OperatorRequest) -> HttpResponse:
    """Answers with what became of each."""
    button = next((one for one in BULK_BUTTONS if one.verb == request.POST.get("verb")), None)
    if button is None:
        raise Http404("This cannot be done to many invoices.")
    if not may(request, button.permission):
        raise PermissionDenied(f"Your role, {request.role.label}, may not {button.permission.replace('_', ' ')}.")
    reason = request.POST.get("reason", "").strip()[:500]
    invoices = list(wanted(request).select_related("customer", "vendor").order_by("-generated_at", "-pk")[:MOST])
    if problem := _problem(invoices, button, reason):
        messages.error(request, problem)
        return redirect("portal:invoices")
    outcomes = act_on_many(
        invoices, button.verb, actor=request.actor, reason=reason, now=request.now, real_now=request.real_now
    )
    context = {
        "button": button,
        "outcomes": sorted(outcomes, key=lambda outcome: not outcome.refusal),
        "done": sum(not outcome.refusal for outcome in outcomes),
        "refused": sum(bool(outcome.refusal) for outcome in outcomes),
    }
    return show(request, "portal/invoices/bulk.html", context, title=button.label, area="invoices")


def _problem(invoices: Sequence[Invoice], button: BulkButton, reason: str) -> str:
    if not invoices:
        return "No invoice was chosen: tick some, or choose all of the tab."
    if button.verb == V.VOID and not reason:
        return "Say why: it is kept in each invoice's timeline."
    return ""


def wanted(request: OperatorRequest) -> QuerySet[Invoice]:
    """The ticked ones, or all that the list shows on its pages."""
    if request.POST.get("which") == "all":
        return selection(request, request.POST).rows
    return Invoice.objects.of(request.vendor).filter(uuid__in=uuids(request.POST.getlist("invoice")))


def uuids(texts: Sequence[str]) -> list[UUID]:
    found = []
    for text in texts[:MOST]:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found
