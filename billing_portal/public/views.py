"""An issued invoice as a page for its customer, who signs in nowhere: the link is the permission.

Reading is all there is. The way to pay leads to Stripe's page, where Stripe holds the invoice.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing_portal.api.rate_limits import WINDOW, requests_counted
from customers.money import format_money
from customers.settings.policy import policy_for
from invoicing.invoices.compose import compose
from invoicing.invoices.documents.emails import invoice_email
from invoicing.invoices.links import page_url, pay_url, read_page_token
from invoicing.invoices.models import Invoice, InvoiceDocument
from invoicing.invoices.papers import payment_note
from invoicing.invoices.states import OPEN, InvoiceStatus

Page = Callable[[HttpRequest, Invoice], HttpResponse]

# A link in a browser's history is enough: neither search engines nor caches nor the next site are to know it.
PRIVATE = {
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
}


def for_link(page: Page) -> Callable[..., HttpResponse]:
    """The invoice that the link names; 404 for a link that is not ours or whose invoice is gone or not issued."""

    @require_safe
    @wraps(page)
    def view(request: HttpRequest, token: str) -> HttpResponse:
        uuid = read_page_token(token)
        if uuid and _is_too_much(uuid, timezone.now()):
            said = _say(request, 429, "Too many requests", "Please wait a minute, then open the link again.")
            said["Retry-After"] = str(WINDOW)
            return said
        invoice = _issued(uuid) if uuid else None
        if invoice is None:
            why = "The link is incomplete, or the invoice does not exist any more. Please ask who sent it to you."
            return _say(request, 404, "This invoice cannot be shown", why)
        return _private(page(request, invoice))

    return view


def _is_too_much(uuid: UUID, real_now: datetime) -> bool:
    """Counted by link: it cannot be guessed, and behind a proxy all readers come from one address."""
    minute = int(real_now.timestamp()) // WINDOW
    limit: int = settings.INVOICE_PAGE_REQUESTS_PER_MINUTE
    return 0 < limit < requests_counted(f"invoice-page:{uuid}:{minute}")


def _issued(uuid: UUID) -> Invoice | None:
    rows = Invoice.objects.select_related("vendor", "customer__vendor").exclude(number="")
    return rows.filter(uuid=uuid, issued_at__isnull=False).first()


@for_link
def invoice_page(request: HttpRequest, invoice: Invoice) -> HttpResponse:
    policy = policy_for(invoice.customer)
    document = compose(invoice, policy, payment_note=payment_note(invoice, policy))
    words, tone = _standing(invoice, invoice.vendor.now(timezone.now()))
    context = {
        "invoice": invoice_email(document, most_lines=None),
        "headline": _headline(invoice),
        "note": document.payment_note if invoice.state in OPEN else "",
        "standing": words,
        "tone": tone,
        "is_open": invoice.state in OPEN,
        "refunded": format_money(invoice.amount_refunded, invoice.currency) if invoice.amount_refunded else "",
        "pay_url": pay_url(invoice),
        "pdf_url": f"{page_url(invoice)}/pdf" if InvoiceDocument.objects.filter(invoice=invoice).exists() else "",
    }
    return render(request, "public/invoice.html", context)


@for_link
def invoice_pdf(request: HttpRequest, invoice: Invoice) -> HttpResponse:
    """The document as it was issued, whatever became of the invoice."""
    document = InvoiceDocument.objects.filter(invoice=invoice).first()
    if document is None:
        return _say(request, 404, "There is no PDF", "The PDF of this invoice was not kept here.")
    response = HttpResponse(bytes(document.pdf), content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="{invoice.number}.pdf"'
    return response


def _headline(invoice: Invoice) -> str:
    """What it is about now: what is still to be paid, or what it was for."""
    amount = invoice.amount_remaining if invoice.state in OPEN else invoice.amount_due
    return format_money(amount, invoice.currency)


def _standing(invoice: Invoice, now: datetime) -> tuple[str, str]:
    """One word or two for the customer, and how they are coloured."""
    match invoice.state:
        case InvoiceStatus.PAID:
            return "Paid", "good"
        case InvoiceStatus.VOIDED:
            return "Void: nothing is to be paid", "bad"
        case InvoiceStatus.UNCOLLECTIBLE:
            return "Unpaid", "bad"
    if invoice.due_date and invoice.due_date < now:
        return "Past due", "bad"
    return "Open", "plain"


def _say(request: HttpRequest, status: int, heading: str, words: str) -> HttpResponse:
    page = render(request, "public/message.html", {"heading": heading, "words": words}, status=status)
    return _private(page)


def _private(response: HttpResponse) -> HttpResponse:
    for name, value in PRIVATE.items():
        response[name] = value
    return response
