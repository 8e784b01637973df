"""How the outcome of an attempt to issue is written down."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from customers.actors import SCHEDULE
from customers.events.models import EventKind
from customers.settings.policy import policy_for
from invoicing.invoices.lifecycle import locked, note_fact, transition
from invoicing.invoices.models import AttemptState, EmailKind, EmailState, Invoice, IssueAttempt
from invoicing.invoices.schedule import retry_at
from invoicing.invoices.states import InvoiceAction, InvoiceStatus


def issued(invoice: Invoice, *, now: datetime, real_now: datetime, **columns: object) -> None:
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
        **at_rest(),
        **columns,
    )


def at_rest() -> dict[str, object]:
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
        close(attempt, state, now, error=error)
        mine = invoice.emails.filter(kind=EmailKind.INVOICE, state=EmailState.SENDING)
        mine.update(state=EmailState(state.value), error=error)
        failures = invoice.invoice_retry_attempt + 1
        next_try = retry_at(failures, now, policy_for(invoice.customer)) if retry else None
        columns = {
            **at_rest(),
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


def close(attempt: IssueAttempt, state: AttemptState, now: datetime, *, error: str = "", external_id: str = "") -> None:
    attempt.state, attempt.error, attempt.finished_at = state, error, now
    attempt.external_id = external_id or attempt.external_id
    attempt.save(update_fields=["state", "error", "finished_at", "external_id"])
