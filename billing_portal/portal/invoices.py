"""The invoice list and the invoice page."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from typst import TypstError

from billing_portal.portal.access import OperatorRequest, View, screen, verb
from billing_portal.portal.bulk import offered_in_bulk
from billing_portal.portal.invoice_filters import tab_counts, tabs
from billing_portal.portal.invoice_selection import selection
from billing_portal.portal.invoice_verbs import BUTTONS, TRY_AGAIN, Button, button_of, offered, press
from billing_portal.portal.keyset import paged
from billing_portal.portal.navigation import show
from billing_portal.portal.saved_views import views_of
from billing_portal.portal.stripe_card import interruption
from billing_portal.portal.stripe_links import dashboard_link
from billing_portal.portal.timeline import timeline_of
from customers.contact import CONTACT_FIELDS
from customers.customer import Customer
from customers.errors import Refused
from customers.events.models import Event, SubjectKind, WebhookDelivery
from customers.money import to_major
from customers.settings.policy import policies_for, policy_for
from invoicing.invoices.bulk import MOST
from invoicing.invoices.documents.page_picture import page_picture
from invoicing.invoices.late_usage import late_usage
from invoicing.invoices.links import open_page_url, pdf_of
from invoicing.invoices.methods import methods_of
from invoicing.invoices.models import Invoice, InvoiceDocument
from invoicing.invoices.regeneration import Regeneration, would_change
from invoicing.invoices.schedule import NextStep, next_step
from invoicing.invoices.states import TERMINAL
from invoicing.invoices.verbs import InvoiceVerb, available_actions
from payments.stripe.models import StripeEvent


@dataclass(frozen=True)
class Row:
    invoice: Invoice
    next_step: NextStep

    @property
    def is_finished(self) -> bool:
        return self.invoice.state in TERMINAL and not self.invoice.next_action


@screen
def invoice_list(request: OperatorRequest) -> HttpResponse:
    chosen = selection(request, request.GET)
    choices = tabs(request.now)
    rows = chosen.rows.select_related("customer").defer(*UNREAD)
    page = paged(rows, chosen.tab.order, request.GET.dict())
    context = {
        "tabs": choices,
        "chosen": chosen,
        "tab": chosen.tab,
        # Of filtered rows no index knows how many there are.
        "counts": {} if chosen.is_filtered else tab_counts(request.vendor, chosen.found, choices),
        "search": chosen.search,
        "page": page,
        "rows": rows_of(request, page.rows),
        "bulk_buttons": offered_in_bulk(request),
        "most": MOST,
        "views": views_of(request, "invoices", chosen.query),
    }
    return show(request, "portal/invoices/list.html", context, title="Invoices", area="invoices")


# Long, and shown by no list.
UNREAD = ("customer_snapshot", "memo")


def rows_of(request: OperatorRequest, invoices: Sequence[Invoice]) -> list[Row]:
    """The invoices with what happens to each next, with two queries for all of them."""
    policies = policies_for(request.vendor, {invoice.customer_id for invoice in invoices})
    for invoice in invoices:
        invoice.vendor = request.vendor
    return [Row(invoice, next_step(invoice, policies[invoice.customer_id])) for invoice in invoices]


@screen
def invoice_page(request: OperatorRequest, uuid: uuid.UUID) -> HttpResponse:
    invoice = _get(request, uuid)
    buttons = offered(request, invoice)
    context = {
        "invoice": invoice,
        "regeneration": _regeneration(request, invoice),
        "late_usage": late_usage(invoice),
        "is_replaceable": InvoiceVerb.REGENERATE in available_actions(invoice),
        "customer": invoice.customer,
        "bill_to": bill_to(invoice),
        "lines": list(invoice.line_items.all()),
        "next_step": next_step(invoice, policy_for(invoice.customer)),
        "interruption": interruption(request.vendor) if invoice.last_error else None,
        "primary": buttons[0] if buttons else None,
        "cures": _cures(buttons),
        "more": buttons[1:],
        "buttons": buttons,
        "customer_page": open_page_url(invoice),
        "document": InvoiceDocument.objects.filter(invoice=invoice).defer("pdf").first(),
        "attempts": list(invoice.issue_attempts.order_by("-number")),
        "payments": list(invoice.payments.all()),
        "refunds": list(invoice.refunds.all()),
        "disputes": list(invoice.disputes.prefetch_related("movements")),
        "methods": methods_of(invoice) if InvoiceVerb.PAY in {button.verb for button in buttons} else [],
        "remaining": amount_text(invoice.amount_remaining, invoice.currency),
        "refundable": amount_text(invoice.amount_refundable, invoice.currency),
        "emails": list(invoice.emails.order_by("-created_at", "-id")),
        "timeline": timeline_of(request.vendor, SubjectKind.INVOICE, invoice.pk),
        "in_stripe": dashboard_link(invoice.external_invoice_id, invoice.gateway_account),
        **_webhooks(request, invoice),
    }
    return show(request, "portal/invoices/page.html", context, title=title_of(invoice), area="invoices")


LINES_SHOWN = 8


@screen
def glance(request: OperatorRequest, uuid: uuid.UUID) -> HttpResponse:
    """What opens below a row of the list."""
    invoice = _get(request, uuid)
    lines = list(invoice.line_items.all()[: LINES_SHOWN + 1])
    context = {
        "invoice": invoice,
        "lines": lines[:LINES_SHOWN],
        "more_lines": len(lines) > LINES_SHOWN,
        "payment": invoice.payments.first(),
        "attempt": invoice.issue_attempts.order_by("-number").first(),
        "now": request.now,
    }
    return render(request, "portal/invoices/_glance.html", context)


WEBHOOKS_SHOWN = 5


def _webhooks(request: OperatorRequest, invoice: Invoice) -> dict[str, Any]:
    """What Stripe told of it last, and what was told of it to the vendor's own systems."""
    told = Event.objects.of(request.vendor).filter(subject_kind=SubjectKind.INVOICE, subject_id=invoice.pk)
    newest = list(told.order_by("-pk").values_list("pk", flat=True)[:WEBHOOKS_SHOWN])
    deliveries = WebhookDelivery.objects.of(request.vendor).filter(event__in=newest)
    events: list[StripeEvent] = []
    if invoice.external_invoice_id:
        account = invoice.gateway_account.partition("/")[0]
        news = StripeEvent.objects.of(request.vendor).filter(account_id=account, object_id=invoice.external_invoice_id)
        events = list(news.defer("body").order_by("-pk")[:WEBHOOKS_SHOWN])
    return {
        "stripe_events": events,
        "deliveries": deliveries.select_related("event", "endpoint").order_by("-pk")[:WEBHOOKS_SHOWN],
    }


def _regeneration(request: OperatorRequest, invoice: Invoice) -> Regeneration | None:
    """What generating it again would change; None where nothing, or where it would be refused."""
    if InvoiceVerb.REGENERATE not in available_actions(invoice):
        return None
    try:
        return would_change(invoice, now=request.now, real_now=request.real_now)
    except Refused:
        return None


# What is offered beside "What happens next": do it now, or hold it back.
CURES = frozenset({InvoiceVerb.RESUME, InvoiceVerb.APPROVE, InvoiceVerb.PUSH, InvoiceVerb.PAY, InvoiceVerb.PAUSE})


def _cures(buttons: Sequence[Button]) -> list[Button]:
    """Where the payment is tried again, charging another method is for the menu: two such buttons would be one too
    many."""
    tries = any(button is TRY_AGAIN for button in buttons)
    return [one for one in buttons if one.verb in CURES and not (tries and one.verb == InvoiceVerb.PAY)]


def amount_text(minor: int, currency: str) -> str:
    """As a person would type it: 12.34."""
    return f"{to_major(minor, currency):f}"


def title_of(invoice: Invoice) -> str:
    return str(invoice)


def bill_to(invoice: Invoice) -> dict[str, Any]:
    """Who is billed, as it was frozen with the invoice."""
    frozen = invoice.customer_snapshot
    names = [name for name in ("display_name", *CONTACT_FIELDS) if name in frozen]
    person = Customer(**{name: frozen[name] for name in names}) if names else invoice.customer
    extra = [person.legal_name if person.legal_name != person.display_name else "", *person.address_lines]
    extra += [person.email, f"VAT id {person.vat_id}" if person.vat_id else ""]
    return {"name": person.display_name or person.legal_name, "lines": [text for text in extra if text]}


def _get(request: OperatorRequest, uuid: uuid.UUID) -> Invoice:
    rows = Invoice.objects.of(request.vendor).select_related("customer__vendor", "subscription__price_plan", "cycle")
    return get_object_or_404(rows, uuid=uuid)


@screen
def invoice_pdf(request: OperatorRequest, uuid: uuid.UUID) -> HttpResponse:
    """The document as it was issued."""
    invoice = _get(request, uuid)
    document = InvoiceDocument.objects.filter(invoice=invoice).first()
    if document is None:
        raise Http404("The PDF is made when the invoice is issued.")
    response = HttpResponse(bytes(document.pdf), content_type="application/pdf")
    response.headers["Content-Disposition"] = f'inline; filename="{title_of(invoice)}.pdf"'
    return response


@screen
def invoice_picture(request: OperatorRequest, uuid: uuid.UUID) -> HttpResponse:
    """The pages of its PDF beside the lines; before it is issued, of a draft as it stands now."""
    try:
        return HttpResponse(page_picture(pdf_of(_get(request, uuid))), content_type="image/png")
    except TypstError as error:
        raise Http404("The PDF that is kept cannot be shown as a picture.") from error


def _press_view(name: InvoiceVerb) -> View:
    button = BUTTONS[name]

    @verb(button.permission)
    def view(request: OperatorRequest, uuid: uuid.UUID) -> HttpResponse:
        invoice = _get(request, uuid)
        outcome: object = None
        try:
            sentence, outcome = press(request, invoice, button_of(invoice, name))
            messages.success(request, sentence)
            if isinstance(outcome, Invoice):
                uuid = outcome.uuid
        except Refused as refusal:
            messages.error(request, refusal.message)
        if outcome is None and not Invoice.objects.of(request.vendor).filter(pk=invoice.pk).exists():
            return redirect("portal:invoices")
        return redirect("portal:invoice", uuid=uuid)

    return view


PRESS = {name: _press_view(name) for name in BUTTONS}


def invoice_verb(request: OperatorRequest, uuid: uuid.UUID, name: str) -> HttpResponse:
    """One address for each button: /invoices/<id>/void/."""
    try:
        view = PRESS[InvoiceVerb(name)]
    except (ValueError, KeyError):
        raise Http404(f"Nothing called {name!r} can be done to an invoice.") from None
    return view(request, uuid=uuid)
