"""The PDF of an invoice that is kept, and what it says about payment."""

from __future__ import annotations

from datetime import datetime

from customers.settings.policy import BillingPolicy
from invoicing.invoices.compose import compose
from invoicing.invoices.documents.pdf import render_pdf
from invoicing.invoices.ledger import Payment
from invoicing.invoices.logo_files import why_no_logo
from invoicing.invoices.models import Channel, Invoice, InvoiceDocument
from invoicing.invoices.schedule import channel_for
from invoicing.invoices.states import InvoiceStatus


def keep_document(invoice: Invoice, policy: BillingPolicy, now: datetime) -> None:
    """The document as it stands. Once the invoice is issued nothing changes it, except tax that the gateway
    computes when it finalizes."""
    pdf = render_pdf(compose(invoice, policy, payment_note=payment_note(invoice, policy)))
    kept = {"pdf": pdf, "created_at": now, "remark": why_no_logo(invoice.vendor, policy)}
    InvoiceDocument.objects.update_or_create(invoice=invoice, defaults=kept)


def payment_note(invoice: Invoice, policy: BillingPolicy) -> str:
    if channel_for(policy) == Channel.GATEWAY and policy.charges_enabled:
        if invoice.state == InvoiceStatus.PAYMENT_FAILED:
            return "We could not charge your payment method on file."
        return "This invoice is charged automatically to your payment method on file."
    return _charge_note(invoice) if invoice.is_charged_by_us else ""


def _charge_note(invoice: Invoice) -> str:
    """What became of the charge of an invoice that we e-mail: the receipt, or what the customer has to do."""
    payment = invoice.payments.first()
    method = payment.method if payment and payment.method else "your payment method on file"
    match invoice.state:
        case InvoiceStatus.PAID if payment and payment.state == Payment.State.SUCCEEDED:
            return f"Paid with {method}. This invoice is also your receipt."
        case InvoiceStatus.PAYMENT_FAILED:
            return f"We could not charge {method}. Please pay this invoice by other means."
        case InvoiceStatus.ISSUED:
            return "Your payment method on file is being charged for this invoice."
    return ""
