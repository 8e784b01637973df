"""The outbox of e-mails to customers: rows that say what is to be told, written in the transaction of what happened.

``mailing`` sends them. Whether a fact is told at all is decided here, by the settings of that moment.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from customers.events.models import EventKind
from customers.settings.policy import BillingPolicy, policy_for
from invoicing.invoices.ledger import Refund
from invoicing.invoices.models import EmailKind, EmailState, Invoice, OutgoingEmail


def tell_customer(invoice: Invoice, kind: EventKind, details: Mapping[str, Any], *, now: datetime) -> None:
    """Queue the e-mail that a fact of an invoice calls for, if the settings want one."""
    letter = _LETTERS.get(kind)
    if letter is None or not _is_told(invoice, letter):
        return
    if details.get("told_by_invoice"):
        return
    if letter == EmailKind.RECEIPT and invoice.amount_due <= 0:
        return
    queue(invoice, letter, str(details.get("payment_id") or now.isoformat()), now=now)


def tell_of_refund(refund: Refund, *, now: datetime) -> None:
    """Money went back: the counterpart of a receipt, told where receipts are."""
    if _is_told(refund.invoice, EmailKind.REFUND):
        queue(refund.invoice, EmailKind.REFUND, str(refund.uuid), now=now)


def _is_told(invoice: Invoice, letter: EmailKind) -> bool:
    return _was_delivered(invoice) and is_wanted(letter, policy_for(invoice.customer))


_LETTERS = {
    EventKind.INVOICE_PAID: EmailKind.RECEIPT,
    EventKind.INVOICE_PAYMENT_FAILED: EmailKind.PAYMENT_FAILED,
}


def _was_delivered(invoice: Invoice) -> bool:
    """A customer who never got the invoice would not know what the e-mail is about."""
    return invoice.issued_at is not None and bool(invoice.number)


def is_wanted(kind: EmailKind, policy: BillingPolicy) -> bool:
    """While invoice delivery is off nothing leaves the building."""
    return (
        policy.should_send_invoice_to_customers
        and {
            EmailKind.INVOICE: True,
            EmailKind.RECEIPT: policy.send_receipts,
            EmailKind.REFUND: policy.send_receipts,
            EmailKind.PAYMENT_FAILED: policy.communicate_payment_failures,
            EmailKind.UPCOMING: bool(policy.upcoming_reminder_days_array),
            EmailKind.PAST_DUE: bool(policy.past_due_reminder_days_array),
        }[kind]
    )


def queue(invoice: Invoice, kind: EmailKind, occasion: str, *, now: datetime) -> None:
    """What was told, or is about to be told, is not queued again."""
    OutgoingEmail.objects.bulk_create([new_email(invoice, kind, occasion, now=now)], ignore_conflicts=True)


def new_email(invoice: Invoice, kind: EmailKind, occasion: str, *, now: datetime) -> OutgoingEmail:
    """Not saved yet. Due at once; recipients and subject are read again when it is sent."""
    return OutgoingEmail(
        vendor=invoice.vendor,
        invoice=invoice,
        kind=kind,
        occasion=occasion,
        recipients=recipients(invoice),
        subject=f"{_SUBJECTS[kind]} {invoice.number} from {invoice.vendor.display_name}",
        message_id=f"<{uuid.uuid4()}@{invoice.vendor.name}.invoices>",
        state=EmailState.WAITING,
        created_at=now,
        next_action_at=now,
    )


_SUBJECTS = {
    EmailKind.INVOICE: "Invoice",
    EmailKind.RECEIPT: "Receipt for invoice",
    EmailKind.REFUND: "Refund for invoice",
    EmailKind.PAYMENT_FAILED: "Payment failed for invoice",
    EmailKind.UPCOMING: "Reminder: invoice",
    EmailKind.PAST_DUE: "Past due: invoice",
}


def recipients(invoice: Invoice) -> list[str]:
    """Every mail to the primary address goes to the secondary ones too."""
    customer = invoice.customer
    return list(dict.fromkeys(address for address in (customer.email, *customer.secondary_emails) if address))
