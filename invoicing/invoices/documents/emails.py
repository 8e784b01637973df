"""The e-mails about an invoice: subject, text and HTML from templates, and the PDF."""

import re
from collections.abc import Mapping
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
    amount: str
    due_date: str
    facts: list[tuple[str, str]]
    lines: list[EmailLine]
    more_lines: int
    totals: list[TotalRow]
    tax_note: str
    memo: list[list[str]]
    bank: list[tuple[str, str]]
    view_url: str
    can_be_paid: bool


def invoice_email(
    document: InvoiceDocument, *, view_url: str = "", pay_url: str = "", most_lines: int | None = MOST_LINES
) -> InvoiceEmail:
    """The templates' context for a document; ``view_url`` adds a button to see it, ``pay_url`` one to pay it."""
    return InvoiceEmail(
        language=wording.language(document),
        reference=wording.one_line(document.reference),
        vendor_name=wording.one_line(document.vendor.name),
        vendor_lines=wording.party_lines(document.vendor),
        customer_name=wording.one_line(document.customer.name),
        amount=wording.money(document, document.amount_remaining or document.amount_due),
        due_date=wording.day_text(document, document.due_date) if document.amount_remaining > 0 else "",
        facts=wording.fact_rows(document),
        lines=_lines(document)[:most_lines],
        more_lines=0 if most_lines is None else max(0, len(document.lines) - most_lines),
        totals=wording.total_rows(document),
        tax_note=wording.one_line(document.tax_note),
        memo=wording.paragraphs(document.memo),
        bank=wording.ways_to_pay(document),
        view_url=_web_address("pay_url", pay_url) or _web_address("view_url", view_url),
        can_be_paid=bool(pay_url),
    )


@dataclass(frozen=True)
class LetterFacts:
    """What an e-mail tells beyond the document."""

    paid_at: datetime | None = None
    method: str = ""
    reason: str = ""
    days_until_due: int = 0
    refunded: int = 0
    refunded_in_all: int = 0


@dataclass(frozen=True)
class Letter:
    """The same in words: what heads the e-mail, and the sentence below."""

    headline: str
    note: str


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
    pay_url: str = "",
    kind: str = "invoice",
    facts: LetterFacts | None = None,
) -> EmailMultiAlternatives:
    """The message, ready to be sent; built again from the same values it says the same.

    ``kind`` names the templates: an e-mail that brings the invoice, or tells of it what ``facts`` say.

    Raises DocumentError for a draft, for no recipient and for addresses or an id that would break
    a header.
    """
    if document.draft:
        raise DocumentError("draft: an invoice that is not issued is not sent.")
    _check_addresses(to=to, sender=[sender], reply_to=[reply_to] if reply_to else [])
    letter = _letter(kind, document, facts or LetterFacts())
    context = {"email": invoice_email(document, view_url=view_url, pay_url=pay_url), "letter": letter}
    message = EmailMultiAlternatives(
        subject=wording.one_line(_render(kind, "subject.txt", context))[:SUBJECT_LENGTH],
        body=_render(kind, "body.txt", context),
        from_email=sender,
        to=to,
        reply_to=[reply_to] if reply_to else None,
        headers=_headers(message_id, now),
    )
    message.attach_alternative(_render(kind, "body.html", context), "text/html")
    message.attach(_safe_filename(pdf_filename), pdf, "application/pdf")
    return message


def sender_address(name: str, address: str) -> str:
    """``Name <address>`` with the name quoted or encoded as a header needs it."""
    return formataddr((wording.one_line(name), address))


def _render(kind: str, part: str, context: Mapping[str, object]) -> str:
    return render_to_string(f"invoicing/email/{kind}-{part}", context)


def _letter(kind: str, document: InvoiceDocument, facts: LetterFacts) -> Letter:
    amount = wording.money(document, document.amount_remaining)
    due = wording.day_text(document, document.due_date)
    match kind:
        case "receipt":
            return Letter(f"{wording.money(document, document.amount_paid)} paid", _paid_how(document, facts))
        case "payment_failed":
            return Letter(f"We could not collect {amount}", wording.one_line(facts.reason))
        case "upcoming":
            return Letter(f"{amount} due {due}", _when(facts.days_until_due))
        case "refund":
            return Letter(f"{wording.money(document, facts.refunded)} refunded", _refund_note(document, facts))
        case "past_due":
            return Letter(f"{amount} was due {due}", _when(facts.days_until_due))
    return Letter(wording.headline(document), wording.one_line(document.payment_note))


def _paid_how(document: InvoiceDocument, facts: LetterFacts) -> str:
    day = wording.day_text(document, facts.paid_at)
    parts = [f"on {day}" if day else "", f"with {wording.one_line(facts.method)}" if facts.method else ""]
    how = " ".join(part for part in parts if part)
    return f"Paid {how}." if how else ""


def _refund_note(document: InvoiceDocument, facts: LetterFacts) -> str:
    """Where it goes, and what it adds up to where it is not the first."""
    way = f"The money goes back to {wording.one_line(facts.method) or 'where it came from'}; this can take a few days."
    if facts.refunded_in_all <= facts.refunded:
        return way
    return f"{way} {wording.money(document, facts.refunded_in_all)} have been refunded in all."


def _when(days_until_due: int) -> str:
    if days_until_due < 0:
        return f"It is {-days_until_due} {'day' if days_until_due == -1 else 'days'} past due."
    return f"It is due {({0: 'today', 1: 'tomorrow'}).get(days_until_due, f'in {days_until_due} days')}."


def _lines(document: InvoiceDocument) -> list[EmailLine]:
    return [
        EmailLine(
            name=wording.one_line(line.name),
            detail=" × ".join(
                filter(None, (wording.quantity_text(document, line), wording.one_line(line.unit_price_text)))
            ),
            amount=wording.money(document, line.amount),
        )
        for line in document.lines
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


def _web_address(field: str, url: str) -> str:
    if url and not re.fullmatch(r"https?://[^\s\"<>]+", url):
        raise DocumentError(f"{field}: {url!r} is not a web address.")
    return url
