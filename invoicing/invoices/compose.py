"""From an invoice's rows to the values its document is made of."""

from __future__ import annotations

from typing import Any

from customers.settings.policy import BillingPolicy
from customers.vendor import Vendor
from invoicing.invoices.detail import detail_level, document_lines
from invoicing.invoices.documents.model import BankDetails, InvoiceDocument, Logo, Paper, Party
from invoicing.invoices.logo_files import logo_of
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import InvoiceStatus
from invoicing.invoices.taxing import tax_note


def compose(invoice: Invoice, policy: BillingPolicy, *, payment_note: str = "") -> InvoiceDocument:
    """The document as it stands: a draft while the invoice has no number."""
    return InvoiceDocument(
        invoice_id=str(invoice.uuid),
        number=invoice.number or None,
        draft=not invoice.number,
        status=InvoiceStatus(invoice.status).label,
        currency=invoice.currency,
        zone=invoice.vendor.zone,
        vendor=_vendor(invoice.vendor, logo_of(invoice.vendor, policy)),
        customer=_customer(invoice.customer_snapshot),
        issue_date=invoice.issue_date,
        due_date=invoice.due_date,
        period_start=invoice.period_start,
        period_end=invoice.period_end,
        lines=document_lines(invoice, detail_level(invoice, policy)),
        subtotal=invoice.sub_total,
        discount_credit=invoice.discount_credit,
        tax_rate=invoice.tax_rate or None,
        tax_inclusive=_contains_tax(invoice),
        tax_amount=invoice.tax_amount,
        amount_due=invoice.amount_due,
        amount_paid=invoice.amount_paid,
        amount_credited=invoice.amount_credited,
        amount_from_balance=invoice.amount_from_balance,
        memo=invoice.memo,
        bank=bank_details(policy),
        tax_note=tax_note(invoice),
        payment_note=payment_note,
        paper=paper_of(invoice.vendor),
    )


# Where an office has Letter in its printer; everywhere else it is A4. Countries are typed freely.
_LETTER = frozenset(
    ("us", "usa", "u.s.", "u.s.a.", "united states", "united states of america", "ca", "can", "canada", "mx", "mex")
    + ("mexico", "méxico")
)


def paper_of(vendor: Vendor) -> Paper:
    """The paper usual in the vendor's country."""
    return "us-letter" if vendor.country.strip().lower() in _LETTER else "a4"


def _contains_tax(invoice: Invoice) -> bool:
    """Whether the prices contain the tax, as the gateway may have been told to compute it."""
    if invoice.tax_rate:
        return invoice.tax_inclusive
    return bool(invoice.tax_amount) and invoice.amount_due == invoice.sub_total - invoice.discount_credit


def _vendor(vendor: Vendor, logo: Logo | None) -> Party:
    return Party(
        legal_name=vendor.legal_name or vendor.display_name,
        display_name=vendor.display_name,
        email=vendor.email,
        phone=vendor.phone,
        url=vendor.url,
        address=tuple(vendor.address_lines),
        vat_id=vendor.vat_id,
        logo=logo,
    )


def _customer(snapshot: dict[str, Any]) -> Party:
    town = " ".join(snapshot[part] for part in ("city", "state", "zipcode") if snapshot.get(part))
    lines = (snapshot.get("address_line_1"), snapshot.get("address_line_2"), town, snapshot.get("country"))
    return Party(
        legal_name=snapshot.get("legal_name") or snapshot["display_name"],
        display_name=snapshot["display_name"],
        email=snapshot.get("email", ""),
        phone=snapshot.get("phone", ""),
        address=tuple(line for line in lines if line),
        vat_id=snapshot.get("vat_id", ""),
    )


def bank_details(policy: BillingPolicy) -> BankDetails | None:
    if not policy.include_ach_instructions:
        return None
    address = (policy.ach_bank_address_1, policy.ach_bank_address_2)
    return BankDetails(
        account_name=policy.ach_account_name,
        account_number=policy.ach_account_number,
        routing_number=policy.ach_routing_number,
        swift_code=policy.ach_swift_code,
        bank_name=policy.ach_bank_name,
        bank_address=tuple(line for line in address if line),
    )
