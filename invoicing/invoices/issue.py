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
from customers.claims import hold
from customers.events.models import EventKind
from customers.settings.policy import policy_for
from invoicing.gateways import GatewayError, GatewayInvoice, GatewayUnavailable, InvoiceOrder, get_gateway
from invoicing.invoices.attempts import GATEWAY, Claimed, claim_attempt
from invoicing.invoices.collection import settle
from invoicing.invoices.compose import compose
from invoicing.invoices.documents.emails import build_invoice_email, sender_address
from invoicing.invoices.documents.model import DocumentError
from invoicing.invoices.lifecycle import locked, note_fact, transition
from invoicing.invoices.models import AttemptState, Channel, EmailKind, EmailState, Invoice, IssueAttempt, OutgoingEmail
from invoicing.invoices.papers import payment_note
from invoicing.invoices.schedule import retry_at
from invoicing.invoices.states import InvoiceAction, InvoiceStatus
from invoicing.invoices.waiting import NOT_CONNECTED, put_aside

NO_ADDRESS = "The customer has no e-mail address. Add one to the customer, then issue the invoice again."
UNKNOWN_EMAIL = (
    "The process stopped while the e-mail was being handed over, so it may or may not have been sent. "
    "Ask the customer or look at your mail server, then issue it again or mark it as paid."
)


def issue(invoice: Invoice, *, real_now: datetime) -> None:
    """Perform, or take up again, the issue step of one invoice. Called outside transactions."""
    now = invoice.vendor.now(real_now)
    claimed = claim_attempt(invoice, now=now, real_now=real_now)
    if claimed is None:
        return
    match claimed.attempt.channel:
        case Channel.NONE:
            _keep_here(claimed.attempt, now=now, real_now=real_now)
        case Channel.EMAIL:
            _by_email(claimed, now=now, real_now=real_now)
        case Channel.GATEWAY:
            _by_gateway(claimed.attempt, now=now, real_now=real_now)


def _keep_here(attempt: IssueAttempt, *, now: datetime, real_now: datetime) -> None:
    """Invoice delivery is off: nothing leaves the building, and the invoice says so."""
    with transaction.atomic():
        invoice = locked(attempt.invoice)
        _close(attempt, AttemptState.SUCCEEDED, now)
        Invoice.objects.filter(pk=invoice.pk).update(**_at_rest())
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
    )


def _record_email(attempt: IssueAttempt, *, now: datetime, real_now: datetime) -> None:
    delivery = f"E-mailed to {', '.join(attempt.request['to'])}"
    with transaction.atomic():
        invoice = locked(attempt.invoice)
        _close(attempt, AttemptState.SUCCEEDED, now)
        attempt.invoice.emails.filter(pk=_email_of(attempt).pk).update(state=EmailState.SUCCEEDED, sent_at=now)
        _issued(invoice, now=now, real_now=real_now, delivery=delivery[:255])
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


def _by_gateway(attempt: IssueAttempt, *, now: datetime, real_now: datetime) -> None:
    order = InvoiceOrder.from_json(attempt.request)
    try:
        made = get_gateway(GATEWAY).issue_invoice(
            order, idempotency_key=attempt.idempotency_key, remember=lambda found: _remember(attempt, found)
        )
    except GatewayUnavailable as error:
        _wait(attempt, error, real_now)
    except GatewayError as error:
        fail(attempt, error.message, now=now, real_now=real_now)
    else:
        _record_gateway(attempt, made, now=now, real_now=real_now)


def _remember(attempt: IssueAttempt, external_id: str) -> None:
    """The gateway's id, as soon as it is known: its news may arrive before this step is over."""
    held_by = {"gateway": GATEWAY, "gateway_account": attempt.request["account"], "external_invoice_id": external_id}
    with transaction.atomic():
        IssueAttempt.objects.filter(pk=attempt.pk).update(external_id=external_id)
        Invoice.objects.filter(pk=attempt.invoice_id).update(**held_by)


def _wait(attempt: IssueAttempt, error: GatewayUnavailable, real_now: datetime) -> None:
    """No answer: the attempt stays under way and is asked for again, ever less often, in real time."""
    if error.code == NOT_CONNECTED:
        put_aside(attempt.invoice, error, gateway=GATEWAY, real_now=real_now)
        return
    waited = real_now - attempt.real_started_at
    pause = min(max(waited, timedelta(seconds=5)), timedelta(minutes=15))
    Invoice.objects.filter(pk=attempt.invoice_id).update(last_error=error.message)
    hold(Invoice, attempt.invoice_id, until=real_now + pause)


def _record_gateway(attempt: IssueAttempt, made: GatewayInvoice, *, now: datetime, real_now: datetime) -> None:
    with transaction.atomic():
        invoice = locked(attempt.invoice)
        _close(attempt, AttemptState.SUCCEEDED, now, external_id=made.external_id)
        delivery = made.note or ("Charged by Stripe" if made.collection == "charge_automatically" else "Sent by Stripe")
        _issued(
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
    return made.due_date or now + timedelta(days=days)


def _issued(invoice: Invoice, *, now: datetime, real_now: datetime, **columns: object) -> None:
    transition(
        invoice,
        InvoiceStatus.ISSUED,
        EventKind.INVOICE_ISSUED,
        actor=SCHEDULE,
        now=now,
        real_now=real_now,
        details={"number": invoice.number, "delivery": columns["delivery"]},
        issued_at=now,
        invoicing_error="",
        status_error="",
        **_at_rest(),
        **columns,
    )


def _at_rest() -> dict[str, object]:
    """Nothing planned, nothing claimed."""
    return {
        "next_action": InvoiceAction.NONE,
        "next_action_at": None,
        "last_error": "",
        "failures": 0,
        "claim_token": None,
        "claimed_until": None,
    }


def fail(
    attempt: IssueAttempt,
    error: str,
    *,
    now: datetime,
    real_now: datetime,
    state: AttemptState = AttemptState.FAILED,
    retry: bool = True,
) -> None:
    """A definite no. Tried again as the settings say; after that it waits for a person."""
    with transaction.atomic():
        invoice = locked(attempt.invoice)
        _close(attempt, state, now, error=error)
        mine = invoice.emails.filter(kind=EmailKind.INVOICE, state=EmailState.SENDING)
        mine.update(state=EmailState(state.value), error=error)
        failures = invoice.invoice_retry_attempt + 1
        next_try = retry_at(failures, now, policy_for(invoice.customer)) if retry else None
        columns = {
            **_at_rest(),
            "next_action": InvoiceAction.ISSUE if next_try else InvoiceAction.NONE,
            "next_action_at": next_try,
            "last_error": error,
            "invoicing_error": error,
            "invoice_retry_attempt": failures,
            "external_invoice_id": "",
            "gateway": "",
            "gateway_account": "",
        }
        _failed(invoice, error, now=now, real_now=real_now, columns=columns)


def _failed(invoice: Invoice, error: str, *, now: datetime, real_now: datetime, columns: dict[str, object]) -> None:
    kind, details = EventKind.INVOICE_ISSUING_FAILED, {"error": error, "attempt": columns["invoice_retry_attempt"]}
    if invoice.state == InvoiceStatus.GENERATED:
        to = InvoiceStatus.INVOICING_FAILED
        transition(invoice, to, kind, actor=SCHEDULE, now=now, real_now=real_now, details=details, **columns)
        return
    Invoice.objects.filter(pk=invoice.pk).update(**columns)
    note_fact(invoice, kind, actor=SCHEDULE, now=now, real_now=real_now, details=details)


def _close(
    attempt: IssueAttempt, state: AttemptState, now: datetime, *, error: str = "", external_id: str = ""
) -> None:
    attempt.state, attempt.error, attempt.finished_at = state, error, now
    attempt.external_id = external_id or attempt.external_id
    attempt.save(update_fields=["state", "error", "finished_at", "external_id"])
