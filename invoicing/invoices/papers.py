"""The PDF of an invoice that is kept, and what it says about payment."""

from __future__ import annotations

from datetime import datetime

from customers.settings.policy import BillingPolicy
from invoicing.invoices.compose import compose
from invoicing.invoices.documents.pdf import render_pdf
from invoicing.invoices.models import Channel, Invoice, InvoiceDocument
from invoicing.invoices.schedule import channel_for


def keep_document(invoice: Invoice, policy: BillingPolicy, now: datetime) -> None:
    """The document as it stands. Once the invoice is issued nothing changes it, except tax that the gateway
    computes when it finalizes."""
    pdf = render_pdf(compose(invoice, policy, payment_note=payment_note(invoice, policy)))
    InvoiceDocument.objects.update_or_create(invoice=invoice, defaults={"pdf": pdf, "created_at": now})


def payment_note(invoice: Invoice, policy: BillingPolicy) -> str:
    if channel_for(policy) == Channel.GATEWAY and policy.charges_enabled:
        return "This invoice is charged automatically to your payment method on file."
    return ""
