"""The links that open an invoice without signing in. Whoever has one can read that invoice, and nothing else.

Each ends in a signature made with the installation's secret key, which cannot be guessed and needs no row.
"""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, Signer

from customers.settings.policy import policy_for
from invoicing.invoices.compose import compose
from invoicing.invoices.documents.pdf import render_pdf
from invoicing.invoices.models import Invoice, InvoiceDocument
from invoicing.invoices.states import OPEN

# Where billing_portal/public answers.
PAGE_PATH = "i"


def pdf_of(invoice: Invoice) -> bytes:
    """The document as it was issued; before that, a draft as it stands now."""
    issued = InvoiceDocument.objects.filter(invoice=invoice).first()
    return bytes(issued.pdf) if issued else render_pdf(compose(invoice, policy_for(invoice.customer)))


def pdf_url(invoice: Invoice) -> str:
    """For the vendor and its systems: before it is issued too, then as a draft."""
    return f"{_home()}/api/v1/invoices/{_signer('invoice-pdf').sign(str(invoice.uuid))}/pdf"


def read_token(text: str) -> UUID | None:
    """The invoice a PDF's link is for; None where its signature is not ours."""
    return _read(text, "invoice-pdf")


def page_url(invoice: Invoice) -> str:
    """For the customer: the invoice as a page, with its PDF and the way to pay it. Opens once it is issued."""
    return f"{_home()}/{PAGE_PATH}/{_signer('invoice-page').sign(str(invoice.uuid))}"


def open_page_url(invoice: Invoice) -> str:
    """The same where it opens already; empty before the invoice is issued."""
    return page_url(invoice) if invoice.number and invoice.issued_at else ""


def read_page_token(text: str) -> UUID | None:
    return _read(text, "invoice-page")


def pay_url(invoice: Invoice) -> str:
    """Where the customer can pay it online; empty where that is not so."""
    return invoice.hosted_url if invoice.state in OPEN and invoice.amount_remaining > 0 else ""


def _home() -> str:
    home: str = settings.PUBLIC_URL
    return home.rstrip("/")


def _signer(salt: str) -> Signer:
    return Signer(sep=".", salt=salt)


def _read(text: str, salt: str) -> UUID | None:
    try:
        return UUID(_signer(salt).unsign(text))
    except (BadSignature, ValueError):
        return None
