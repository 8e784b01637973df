"""Sending the outbox: claim, commit, hand over, record.

A crash between handing over and recording cannot be told from either side, so such an e-mail becomes ``UNKNOWN``,
is shown, and is never sent again by itself.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from datetime import datetime
from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import Q

from customers.billing_pause import NOT_PAUSED
from customers.claims import any_of, claim, in_hand, renew, retry_delay
from customers.log_context import about
from customers.settings.policy import policy_for
from invoicing.invoices.compose import compose
from invoicing.invoices.documents.emails import LetterFacts, build_invoice_email, sender_address
from invoicing.invoices.documents.model import InvoiceDocument
from invoicing.invoices.documents.pdf import render_pdf
from invoicing.invoices.ledger import Payment
from invoicing.invoices.links import page_url, pay_url
from invoicing.invoices.models import EmailKind, EmailState, Invoice, OutgoingEmail
from invoicing.invoices.outbox import is_wanted, recipients
from invoicing.invoices.papers import payment_note
from invoicing.invoices.states import OPEN

logger = logging.getLogger(__name__)

# After so many failures in a row it is left to a person.
MOST_TRIES = 6

NO_ADDRESS = "The customer has no e-mail address. Add one to the customer; the next e-mail will go there."
UNKNOWN_EMAIL = (
    "The process stopped while the e-mail was being handed over, so it may or may not have been sent. "
    "It is not sent again by itself."
)
SETTLED = "The invoice was no longer open when the e-mail's turn came."
UNWANTED = "The billing settings no longer asked for this e-mail when its turn came."

HandOver = Callable[[int, uuid.UUID], None]


def hand_out(due: Q, *, real_now: datetime, hand_over: HandOver) -> None:
    """Claim e-mails whose time has come and give each to a worker, never more than a batch at once."""
    rows = OutgoingEmail.objects.filter(due, NOT_PAUSED).order_by("next_action_at", "pk")
    if not any_of(rows):
        return
    free = settings.CLAIM_BATCH - in_hand(rows, real_now)
    if free <= 0:
        return
    token, ids = claim(rows, real_now=real_now, lease=settings.CLAIM_LEASE, limit=free)
    for pk in ids:
        hand_over(pk, token)


def send(pk: int, token: uuid.UUID, *, real_now: datetime) -> None:
    """One claimed e-mail. Quietly nothing when the claim has passed to somebody else."""
    email = _claim(pk, token, real_now)
    if email is None:
        return None
    with about(vendor=email.vendor.name, invoice=email.invoice.uuid):
        return _hand_over(email, email.vendor.now(real_now))


def _hand_over(email: OutgoingEmail, now: datetime) -> None:
    try:
        message = _message(email, now)
    except Exception as error:
        logger.exception("The %s e-mail of invoice %s cannot be made", email.kind, email.invoice.uuid)
        return _close(email, EmailState.FAILED, f"The e-mail cannot be made: {error}")
    try:
        message.send()
    except OSError as error:  # smtplib and sockets raise it
        _try_later(email, f"The e-mail could not be sent: {error}", now)
    else:
        _close(email, EmailState.SUCCEEDED, subject=message.subject, sent_at=now)


def _claim(pk: int, token: uuid.UUID, real_now: datetime) -> OutgoingEmail | None:
    """Write down that it is about to be handed over. None: it is not to be."""
    with transaction.atomic(durable=True):
        if not renew(OutgoingEmail, pk, token, real_now=real_now, lease=settings.CLAIM_LEASE):
            return None
        rows = OutgoingEmail.objects.select_for_update(of=("self",))
        email = rows.select_related("vendor", "invoice__vendor", "invoice__customer__vendor").get(pk=pk)
        email.recipients = recipients(email.invoice)
        if stop := _stop(email):
            _close(email, *stop)
            return None
        email.state = EmailState.SENDING
        email.save(update_fields=["state", "recipients"])
        return email


def _stop(email: OutgoingEmail) -> tuple[EmailState, str] | None:
    """What becomes of an e-mail that is not to be handed over."""
    if email.state == EmailState.SENDING:
        return EmailState.UNKNOWN, UNKNOWN_EMAIL
    if why_not := _why_not(email):
        return EmailState.WITHDRAWN, why_not
    return None if email.recipients else (EmailState.FAILED, NO_ADDRESS)


def _why_not(email: OutgoingEmail) -> str:
    """Why it is not to be sent any more; empty where it is."""
    kind, invoice = EmailKind(email.kind), email.invoice
    asks_for_money = kind in (EmailKind.PAYMENT_FAILED, EmailKind.UPCOMING, EmailKind.PAST_DUE)
    if asks_for_money and (invoice.state not in OPEN or invoice.amount_remaining <= 0):
        return SETTLED
    # An invoice is sent again because a person said so, whatever the settings say.
    if kind != EmailKind.INVOICE and not is_wanted(kind, policy_for(invoice.customer)):
        return UNWANTED
    return ""


def _close(email: OutgoingEmail, state: EmailState, error: str = "", **columns: object) -> None:
    OutgoingEmail.objects.filter(pk=email.pk).update(
        state=state, error=error, next_action_at=None, claim_token=None, claimed_until=None, **columns
    )


def _try_later(email: OutgoingEmail, error: str, now: datetime) -> None:
    """Nothing was sent. The Message-ID stays, so that a reader would tell a repeat."""
    failures = email.failures + 1
    if failures >= MOST_TRIES:
        return _close(email, EmailState.FAILED, error, failures=failures)
    OutgoingEmail.objects.filter(pk=email.pk).update(
        state=EmailState.WAITING,
        error=error,
        failures=failures,
        next_action_at=now + retry_delay(failures),
        claim_token=None,
        claimed_until=None,
    )
    return None


def _message(email: OutgoingEmail, now: datetime) -> EmailMultiAlternatives:
    invoice, kind = email.invoice, EmailKind(email.kind)
    policy = policy_for(invoice.customer)
    document = compose(invoice, policy, payment_note=payment_note(invoice, policy))
    pdf, filename = _attachment(invoice, kind, document)
    return build_invoice_email(
        document,
        kind=kind.value,
        to=list(email.recipients),
        sender=sender_address(invoice.vendor.display_name, parseaddr(settings.DEFAULT_FROM_EMAIL)[1]),
        reply_to=invoice.vendor.email,
        message_id=email.message_id,
        pdf=pdf,
        pdf_filename=filename,
        now=now,
        view_url=page_url(invoice),
        pay_url=pay_url(invoice),
        facts=_facts(email, now),
    )


def _attachment(invoice: Invoice, kind: EmailKind, document: InvoiceDocument) -> tuple[bytes, str]:
    """A receipt carries the invoice with its payment on it, the others the document as it was issued."""
    if kind == EmailKind.RECEIPT:
        return render_pdf(document), f"{invoice.number}-receipt.pdf"
    return bytes(invoice.document.pdf), f"{invoice.number}.pdf"


def _facts(email: OutgoingEmail, now: datetime) -> LetterFacts:
    invoice = email.invoice
    payment = _payment(email)
    return LetterFacts(
        paid_at=invoice.paid_at,
        method=payment.method if payment else "",
        reason=payment.error if payment else "",
        days_until_due=_days_until_due(invoice, now),
        **_refunded(email),
    )


def _refunded(email: OutgoingEmail) -> dict[str, int]:
    if email.kind != EmailKind.REFUND:
        return {}
    refund = email.invoice.refunds.get(uuid=email.occasion)
    return {"refunded": refund.amount, "refunded_in_all": email.invoice.amount_refunded}


def _days_until_due(invoice: Invoice, now: datetime) -> int:
    """Counted in the vendor's calendar, when it is sent."""
    if invoice.due_date is None:
        return 0
    zone = invoice.vendor.zone
    return (invoice.due_date.astimezone(zone).date() - now.astimezone(zone).date()).days


def _payment(email: OutgoingEmail) -> Payment | None:
    """The payment it tells of; a failed one by its id, the one that paid by being the last."""
    if email.kind == EmailKind.PAYMENT_FAILED:
        return email.invoice.payments.filter(external_id=email.occasion).first()
    if email.kind in (EmailKind.RECEIPT, EmailKind.REFUND):
        return email.invoice.payments.filter(state=Payment.State.SUCCEEDED).first()
    return None
