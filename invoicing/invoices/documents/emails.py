"""The e-mail that brings an invoice: subject, text and HTML from templates, and the PDF."""

import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime, formataddr

from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from invoicing.invoices.documents import wording
from invoicing.invoices.documents.model import DocumentError, InvoiceDocument
from invoicing.invoices.documents.wording import TotalRow

# Mail readers cut long messages off; the PDF has every line.
MOST_LINES = 12
SUBJECT_LENGTH = 200

_MESSAGE_ID = re.compile(r"<[^<>\s@]+@[^<>\s@]+>")


@dataclass(frozen=True)
class EmailLine:
    """One line item as the e-mail shows it."""

    name: str
    detail: str
    amount: str


@dataclass(frozen=True)
class InvoiceEmail:
    """What the three templates may say; everything is text, ready to print."""

    language: str
    reference: str
    vendor_name: str
    vendor_lines: list[str]
    customer_name: str
    headline: str
    amount: str
    due_date: str
    facts: list[tuple[str, str]]
    lines: list[EmailLine]
    more_lines: int
    totals: list[TotalRow]
    tax_note: str
    payment_note: str
    memo: list[list[str]]
    bank: list[tuple[str, str]]
    view_url: str


def invoice_email(document: InvoiceDocument, *, view_url: str = "") -> InvoiceEmail:
    """The templates' context for a document; ``view_url`` adds a button to see and pay it."""
    return InvoiceEmail(
        language=wording.language(document),
        reference=wording.one_line(document.reference),
        vendor_name=wording.one_line(document.vendor.name),
        vendor_lines=wording.party_lines(document.vendor),
        customer_name=wording.one_line(document.customer.name),
        headline=wording.headline(document),
        amount=wording.money(document, document.amount_remaining or document.amount_due),
        due_date=wording.day_text(document, document.due_date) if document.amount_remaining > 0 else "",
        facts=wording.fact_rows(document),
        lines=_lines(document),
        more_lines=max(0, len(document.lines) - MOST_LINES),
        totals=wording.total_rows(document),
        tax_note=wording.one_line(document.tax_note),
        payment_note=wording.one_line(document.payment_note),
        memo=wording.paragraphs(document.memo),
        bank=wording.bank_rows(document.bank),
        view_url=_web_address(view_url),
    )


def build_invoice_email(
    document: InvoiceDocument,
    *,
    to: list[str],
    sender: str,
    reply_to: str,
    message_id: str,
    pdf: bytes,
    pdf_filename: str,
    now: datetime,
    view_url: str = "",
) -> EmailMultiAlternatives:
    """The message, ready to be sent; built again from the same values it says the same.

    Raises DocumentError for a draft, for no recipient and for addresses or an id that would break
    a header.
    """
    if document.draft:
        raise DocumentError("draft: an invoice that is not issued is not sent.")
    _check_addresses(to=to, sender=[sender], reply_to=[reply_to] if reply_to else [])
    context = {"email": invoice_email(document, view_url=view_url)}
    message = EmailMultiAlternatives(
        subject=wording.one_line(_render("subject.txt", context))[:SUBJECT_LENGTH],
        body=_render("body.txt", context),
        from_email=sender,
        to=to,
        reply_to=[reply_to] if reply_to else None,
        headers=_headers(message_id, now),
    )
    message.attach_alternative(_render("body.html", context), "text/html")
    message.attach(_safe_filename(pdf_filename), pdf, "application/pdf")
    return message


def sender_address(name: str, address: str) -> str:
    """``Name <address>`` with the name quoted or encoded as a header needs it."""
    return formataddr((wording.one_line(name), address))


def _render(name: str, context: dict[str, InvoiceEmail]) -> str:
    return render_to_string(f"invoicing/email/invoice-{name}", context)


def _lines(document: InvoiceDocument) -> list[EmailLine]:
    return [
        EmailLine(
            name=wording.one_line(line.name),
            detail=" × ".join(
                filter(None, (wording.quantity_text(document, line), wording.one_line(line.unit_price_text)))
            ),
            amount=wording.money(document, line.amount),
        )
        for line in document.lines[:MOST_LINES]
    ]


def _headers(message_id: str, now: datetime) -> dict[str, str]:
    if not _MESSAGE_ID.fullmatch(message_id):
        raise DocumentError(f"message_id: {message_id!r} must be of the form <unique@host>.")
    return {
        "Message-ID": message_id,
        "Date": format_datetime(now),
        # Keeps out-of-office answers away (RFC 3834).
        "Auto-Submitted": "auto-generated",
    }


def _check_addresses(**fields: list[str]) -> None:
    if not fields["to"]:
        raise DocumentError("to: give at least one e-mail address.")
    for field, addresses in fields.items():
        for address in addresses:
            if "@" not in address or wording.one_line(address) != address:
                raise DocumentError(f"{field}: {address!r} is not an e-mail address.")


def _safe_filename(name: str) -> str:
    """A file name without path, quotes or line breaks, ending in .pdf."""
    stem = re.sub(r"[^\w.-]+", "-", name.removesuffix(".pdf")).strip("-.")
    return f"{stem or 'invoice'}.pdf"


def _web_address(url: str) -> str:
    if url and not re.fullmatch(r"https?://[^\s\"<>]+", url):
        raise DocumentError(f"view_url: {url!r} is not a web address.")
    return url
