"""The issue step: claim, commit, call, record.

1. ``attempts.claim_attempt`` writes the attempt, with its idempotency key and its frozen request.
2. The call leaves the building: an e-mail, or the gateway. No transaction is open.
3. The outcome is recorded in a transaction of its own.

Killed anywhere in between, the step is taken up again by the next tick. A gateway is asked again with the
same key and words. Of an e-mail nobody can know, so a person is shown and asked instead.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction

from customers.actors import SCHEDULE
from customers.events.models import EventKind
from customers.settings.policy import policy_for
from invoicing.gateways import (
    GATEWAY,
    ChargeStatus,
    Collection,
    GatewayCharge,
    GatewayError,
    GatewayInvoice,
    GatewayUnavailable,
    InvoiceOrder,
    get_gateway,
)
from invoicing.invoices import charging, logos
from invoicing.invoices.attempts import Claimed, claim_attempt
from invoicing.invoices.charge_attempts import ChargeAttempt
from invoicing.invoices.collection import settle
from invoicing.invoices.compose import compose
from invoicing.invoices.documents.emails import build_invoice_email, sender_address
from invoicing.invoices.documents.model import DocumentError
from invoicing.invoices.lifecycle import locked, note_fact, transition
from invoicing.invoices.links import page_url
from invoicing.invoices.models import AttemptState, Channel, EmailKind, EmailState, Invoice, IssueAttempt, OutgoingEmail
from invoicing.invoices.outbox import queue
from invoicing.invoices.papers import keep_document, payment_note
from invoicing.invoices.recording import at_rest, close, fail, issued
from invoicing.invoices.schedule import channel_for, chosen_due_date
from invoicing.invoices.states import InvoiceStatus
from invoicing.invoices.waiting import growing_pause, wait

NO_ADDRESS = "The customer has no e-mail address. Add one to the customer, then issue the invoice again."
BELOW_ZERO = (
    "It comes to less than nothing, and an invoice cannot give money. Mend what was measured or priced and generate it "
    "again, or void it and give the customer a refund or a charge that evens it out."
)
UNKNOWN_EMAIL = (
    "The process stopped while the e-mail was being handed over, so it may or may not have been sent. "
    "Ask the customer or look at your mail server, then issue it again or mark it as paid."
)


def issue(invoice: Invoice, *, real_now: datetime) -> None:
    """Perform, or take up again, the issue step of one invoice. Called outside transactions."""
    now = invoice.vendor.now(real_now)
    policy = policy_for(invoice.customer)
    if channel_for(policy) != Channel.NONE:
        logos.refresh(invoice.vendor, policy, real_now=real_now)
    claimed = claim_attempt(invoice, now=now, real_now=real_now)
    if claimed is None:
        return
    if claimed.attempt.channel != Channel.NONE and claimed.attempt.invoice.amount_due < 0:
        fail(claimed.attempt, BELOW_ZERO, now=now, real_now=real_now, retry=False)
        return
    match claimed.attempt.channel:
        case Channel.NONE:
            _keep_here(claimed.attempt, now=now, real_now=real_now)
        case Channel.EMAIL if claimed.attempt.request.get("charge"):
            _by_charge(claimed, now=now, real_now=real_now)
        case Channel.EMAIL:
            _by_email(claimed, now=now, real_now=real_now)
        case Channel.GATEWAY:
            _by_gateway(claimed.attempt, now=now, real_now=real_now)


def _keep_here(attempt: IssueAttempt, *, now: datetime, real_now: datetime) -> None:
    """Invoice delivery is off: nothing leaves the building, and the invoice says so."""
    with transaction.atomic():
        invoice = locked(attempt.invoice)
        close(attempt, AttemptState.SUCCEEDED, now)
        Invoice.objects.filter(pk=invoice.pk).update(**at_rest())
        note_fact(invoice, EventKind.INVOICE_KEPT, actor=SCHEDULE, now=now, real_now=real_now)


def _by_email(claimed: Claimed, *, now: datetime, real_now: datetime) -> None:
    attempt = claimed.attempt
    if not claimed.is_new:
        return fail(attempt, UNKNOWN_EMAIL, now=now, real_now=real_now, state=AttemptState.UNKNOWN, retry=False)
    if not attempt.request["to"]:
        return fail(attempt, NO_ADDRESS, now=now, real_now=real_now)
    try:
        _message(attempt, now).send()
    except (OSError, DocumentError) as error:  # smtplib and sockets raise OSError
        return fail(attempt, f"The e-mail could not be sent: {error}", now=now, real_now=real_now)
    return _record_email(attempt, now=now, real_now=real_now)


def _email_of(attempt: IssueAttempt) -> OutgoingEmail:
    return attempt.invoice.emails.filter(kind=EmailKind.INVOICE).latest("pk")


def _message(attempt: IssueAttempt, now: datetime) -> EmailMultiAlternatives:
    invoice, email = attempt.invoice, _email_of(attempt)
    policy = policy_for(invoice.customer)
    return build_invoice_email(
        compose(invoice, policy, payment_note=payment_note(invoice, policy)),
        to=list(email.recipients),
        sender=sender_address(invoice.vendor.display_name, parseaddr(settings.DEFAULT_FROM_EMAIL)[1]),
        reply_to=invoice.vendor.email,
        message_id=email.message_id,
        pdf=bytes(invoice.document.pdf),
        pdf_filename=f"{invoice.number}.pdf",
        now=now,
        view_url=page_url(invoice),
    )


def _record_email(attempt: IssueAttempt, *, now: datetime, real_now: datetime) -> None:
    delivery = f"E-mailed to {', '.join(attempt.request['to'])}"
    with transaction.atomic():
        invoice = locked(attempt.invoice)
        close(attempt, AttemptState.SUCCEEDED, now)
        attempt.invoice.emails.filter(pk=_email_of(attempt).pk).update(state=EmailState.SUCCEEDED, sent_at=now)
        issued(invoice, now=now, real_now=real_now, delivery=delivery[:255])
        if invoice.amount_due <= 0:
            _nothing_to_pay(invoice, now=now, real_now=real_now)


def _nothing_to_pay(invoice: Invoice, *, now: datetime, real_now: datetime) -> None:
    transition(
        invoice,
        InvoiceStatus.PAID,
        EventKind.INVOICE_PAID,
        actor=SCHEDULE,
        now=now,
        real_now=real_now,
        details={"nothing_to_pay": True},
        paid_at=now,
    )


def _by_charge(claimed: Claimed, *, now: datetime, real_now: datetime) -> None:
    """The stored payment method is charged first, so that one e-mail is invoice and receipt, or says what failed."""
    attempt = claimed.attempt
    charge = attempt.invoice.charge_attempts.latest("number")
    try:
        outcome = charging.ask(charge, again=not claimed.is_new)
    except GatewayUnavailable as error:
        wait(attempt.invoice, error, pause=growing_pause(attempt.real_started_at, real_now), real_now=real_now)
    else:
        _record_charge(attempt, charge, outcome, now=now, real_now=real_now)


def _record_charge(
    attempt: IssueAttempt, charge: ChargeAttempt, outcome: GatewayCharge, *, now: datetime, real_now: datetime
) -> None:
    """The invoice is out with its charge; the e-mail waits in the outbox and tells of both."""
    with transaction.atomic():
        invoice = locked(attempt.invoice)
        charging.close(charge, outcome, now)
        close(attempt, AttemptState.SUCCEEDED, now)
        is_tried = outcome.status != ChargeStatus.IMPOSSIBLE
        held = {"gateway_account": charge.account, "gateway_collection": Collection.CHARGE_AUTOMATICALLY}
        delivery = _charged_words(outcome, attempt.request["to"])
        issued(invoice, now=now, real_now=real_now, delivery=delivery[:255], **(held if is_tried else {}))
        charging.apply(invoice, outcome, now=now, real_now=real_now, told_by_invoice=True)
        keep_document(invoice, policy_for(invoice.customer), now)
        queue(invoice, EmailKind.INVOICE, f"issue-{attempt.number}", now=now)


def _charged_words(outcome: GatewayCharge, to: list[str]) -> str:
    method = outcome.payment.method if outcome.payment else ""
    emailed = f"e-mailed to {', '.join(to)}"
    match outcome.status:
        case ChargeStatus.SUCCEEDED:
            return f"Charged {method}, {emailed}"
        case ChargeStatus.PENDING:
            return f"Payment under way, {emailed}"
        case ChargeStatus.IMPOSSIBLE:
            return f"E{emailed[1:]}, to be paid by other means. {outcome.error}"
    return f"Payment failed, {emailed}"


def _by_gateway(attempt: IssueAttempt, *, now: datetime, real_now: datetime) -> None:
    order = InvoiceOrder.from_json(attempt.request)
    try:
        made = get_gateway(GATEWAY).issue_invoice(
            order, idempotency_key=attempt.idempotency_key, remember=lambda found: _remember(attempt, found)
        )
    except GatewayUnavailable as error:
        wait(attempt.invoice, error, pause=growing_pause(attempt.real_started_at, real_now), real_now=real_now)
    except GatewayError as error:
        fail(attempt, error.message, now=now, real_now=real_now)
    else:
        _record_gateway(attempt, made, now=now, real_now=real_now)


def _remember(attempt: IssueAttempt, external_id: str) -> None:
    """The gateway's id, as soon as it is known: its news may arrive before this step is over."""
    held_by = {"gateway": GATEWAY, "gateway_account": attempt.request["account"], "external_invoice_id": external_id}
    with transaction.atomic():
        Invoice.objects.filter(pk=attempt.invoice_id).update(**held_by)
        IssueAttempt.objects.filter(pk=attempt.pk).update(external_id=external_id)


def _record_gateway(attempt: IssueAttempt, made: GatewayInvoice, *, now: datetime, real_now: datetime) -> None:
    with transaction.atomic():
        invoice = locked(attempt.invoice)
        close(attempt, AttemptState.SUCCEEDED, now, external_id=made.external_id)
        delivery = made.note or ("Charged by Stripe" if made.collection == "charge_automatically" else "Sent by Stripe")
        issued(
            invoice,
            now=now,
            real_now=real_now,
            delivery=delivery[:255],
            gateway=GATEWAY,
            gateway_account=attempt.request["account"],
            external_invoice_id=made.external_id,
            due_date=_gateway_due_date(invoice, made, now),
        )
    settle(made.external_id, made, real_now=real_now)


def _gateway_due_date(invoice: Invoice, made: GatewayInvoice, now: datetime) -> datetime | None:
    if made.collection == "charge_automatically":
        return None
    days = int(invoice.policy_snapshot["days_until_due"]["value"])
    return made.due_date or chosen_due_date(invoice, now) or now + timedelta(days=days)
