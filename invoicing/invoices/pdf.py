"""An invoice's PDF, and the links that open it without an API key."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, Signer

from customers.settings.policy import policy_for
from invoicing.invoices.compose import compose
from invoicing.invoices.documents.pdf import render_pdf
from invoicing.invoices.models import Invoice, InvoiceDocument


def pdf_of(invoice: Invoice) -> bytes:
    """The document as it was issued; before that, a draft as it stands now."""
    issued = InvoiceDocument.objects.filter(invoice=invoice).first()
    return bytes(issued.pdf) if issued else render_pdf(compose(invoice, policy_for(invoice.customer)))


def _signer() -> Signer:
    return Signer(sep=".", salt="invoice-pdf")


def pdf_url(invoice: Invoice) -> str:
    """Whoever has this link can read the PDF, and nothing else."""
    return f"{settings.PUBLIC_URL.rstrip('/')}/api/v1/invoices/{_signer().sign(str(invoice.uuid))}/pdf"


def read_token(text: str) -> UUID | None:
    """The invoice a link is for; None where its signature is not ours."""
    try:
        return UUID(_signer().unsign(text))
    except (BadSignature, ValueError):
        return None
