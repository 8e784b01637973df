"""Charging the stored payment method for invoices that we e-mail: claim, commit, call, record.

The first charge is part of the issue step (``issue``), and the invoice is e-mailed with its outcome. A charge
that failed is tried again by our schedule, as the retry settings say, and never where the bank said so.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction

from customers.actors import STRIPE
from customers.errors import Refused
from customers.events.models import EventKind
from customers.settings.policy import BillingPolicy, policy_for
from customers.vendor import Vendor
from invoicing.gateways import (
    GATEWAY,
    ChargeOrder,
    ChargeStatus,
    GatewayCharge,
    GatewayPayment,
    GatewayRejected,
    GatewayUnavailable,
    Retry,
    get_gateway,
)
from invoicing.invoices.charge_attempts import UNDER_WAY, ChargeAttempt
from invoicing.invoices.lifecycle import locked, note_fact, transition
from invoicing.invoices.models import Invoice
from invoicing.invoices.payments import record_payment
from invoicing.invoices.schedule import retry_at
from invoicing.invoices.states import OPEN, TRANSITIONS, InvoiceAction, InvoiceStatus
from invoicing.invoices.waiting import growing_pause, wait

SWITCHED_OFF = "The payment was not tried again: Auto-Charge is off now."

S = InvoiceStatus
State = ChargeAttempt.State


class StillCharging(Refused):
    """Our own call is under way; its answer will settle the invoice. Ask again in a moment."""

    code = "still_charging"


def is_wanted(invoice: Invoice, policy: BillingPolicy) -> bool:
    return policy.charges_emailed_invoices and invoice.amount_remaining > 0


# Claim


def open_attempt(invoice: Invoice, *, now: datetime, real_now: datetime) -> ChargeAttempt:
    """What is about to be asked for, in the caller's transaction. The invoice is locked."""
    number = invoice.charge_attempts.count() + 1
    account = get_gateway(GATEWAY).acting_account(invoice.vendor_id)
    order = ChargeOrder(
        invoice_uuid=str(invoice.uuid),
        vendor_id=invoice.vendor_id,
        account=account,
        customer_id=invoice.customer_id,
        number=invoice.number,
        currency=invoice.currency,
        amount=invoice.amount_remaining,
        asked_at=min(now, real_now).isoformat(),
    )
    return ChargeAttempt.objects.create(
        invoice=invoice,
        number=number,
        idempotency_key=f"invoice-{invoice.uuid}-charge-{number}",
        gateway=GATEWAY,
        account=account,
        request=order.as_json(),
        started_at=now,
        real_started_at=real_now,
    )


# Call


def ask(attempt: ChargeAttempt, *, again: bool) -> GatewayCharge:
    """Outside transactions. Raises ``GatewayUnavailable``: then the attempt stays under way."""
    gateway = get_gateway(attempt.gateway)
    _take_acting_account(attempt)
    remember = partial(_remember, attempt)
    order = ChargeOrder(**attempt.request)
    try:
        return gateway.charge(order, idempotency_key=attempt.idempotency_key, again=again, remember=remember)
    except GatewayRejected as error:
        return GatewayCharge(external_id="", status=ChargeStatus.FAILED, error=error.message)


def _take_acting_account(attempt: ChargeAttempt) -> None:
    """An attempt that found no account has reached nobody: it goes to the account that acts by now."""
    if attempt.account:
        return
    attempt.account = get_gateway(attempt.gateway).acting_account(attempt.request["vendor_id"])
    attempt.request = {**attempt.request, "account": attempt.account}
    attempt.save(update_fields=["account", "request"])


def _remember(attempt: ChargeAttempt, external_id: str) -> None:
    ChargeAttempt.objects.filter(pk=attempt.pk).update(external_id=external_id)


# Record


def close(attempt: ChargeAttempt, outcome: GatewayCharge, now: datetime) -> None:
    attempt.state, attempt.error, attempt.finished_at = State(outcome.status), outcome.error, now
    attempt.external_id = outcome.external_id or attempt.external_id
    attempt.save(update_fields=["state", "error", "finished_at", "external_id"])


def apply(
    invoice: Invoice, outcome: GatewayCharge, *, now: datetime, real_now: datetime, told_by_invoice: bool = False
) -> str:
    """Bring the invoice to what became of the charge; why nothing was done, or an empty string. The invoice is
    locked. ``told_by_invoice``: the e-mail with the invoice tells the customer, so no other one does."""
    if outcome.payment and not record_payment(invoice, outcome.payment):
        return ""
    details: dict[str, Any] = {"told_by_invoice": True} if told_by_invoice else {}
    by: dict[str, Any] = {"actor": STRIPE, "now": now, "real_now": real_now}
    match outcome.status:
        case ChargeStatus.SUCCEEDED:
            return _paid(invoice, outcome, details, by)
        case ChargeStatus.FAILED:
            return _failed(invoice, outcome, details, by)
        case ChargeStatus.IMPOSSIBLE if invoice.state == S.PAYMENT_FAILED:
            Invoice.objects.filter(pk=invoice.pk).update(payment_error=outcome.error)
    return ""


def _paid(invoice: Invoice, outcome: GatewayCharge, details: dict[str, Any], by: dict[str, Any]) -> str:
    if S.PAID not in TRANSITIONS[invoice.state] or outcome.payment is None:
        return f"Ours is {invoice.state.label.lower()}: the payment was only written down."
    transition(
        invoice,
        S.PAID,
        EventKind.INVOICE_PAID,
        **by,
        details=details,
        amount_paid=invoice.amount_paid + outcome.payment.amount,
        external_payment_id=outcome.payment.external_id,
        latest_payment_attempt_at=by["now"],
        paid_at=by["now"],
        payment_error="",
        retry_advice="",
        status_error="",
        next_action=InvoiceAction.NONE,
        next_action_at=None,
    )
    return ""


def _failed(invoice: Invoice, outcome: GatewayCharge, details: dict[str, Any], by: dict[str, Any]) -> str:
    if invoice.state not in OPEN:
        return f"Ours is {invoice.state.label.lower()}: the failed payment was only written down."
    columns = _after_failure(invoice, outcome, by["now"])
    said = {"error": outcome.error, **_facts_of(outcome.payment), **details}
    kind = EventKind.INVOICE_PAYMENT_FAILED
    if invoice.state == S.PAYMENT_FAILED:
        Invoice.objects.filter(pk=invoice.pk).update(**columns)
        note_fact(invoice, kind, **by, details=said)
    else:
        transition(invoice, S.PAYMENT_FAILED, kind, **by, details=said, **columns)
    return ""


def _facts_of(payment: GatewayPayment | None) -> dict[str, str]:
    if payment is None:
        return {}
    return {"code": payment.error_code, "method": payment.method, "payment_id": payment.external_id}


def _after_failure(invoice: Invoice, outcome: GatewayCharge, now: datetime) -> dict[str, Any]:
    """The next try, if the bank lets us and the settings want one."""
    failures = invoice.payment_retry_attempt + 1
    may_retry = outcome.payment is None or outcome.payment.retry == Retry.AGAIN
    at = retry_at(failures, now, policy_for(invoice.customer)) if may_retry and not invoice.paused_at else None
    return {
        "payment_error": outcome.error,
        "retry_advice": outcome.payment.retry if outcome.payment else Retry.AGAIN,
        "payment_retry_attempt": failures,
        "latest_payment_attempt_at": now,
        "next_action": InvoiceAction.COLLECT if at else InvoiceAction.NONE,
        "next_action_at": at,
    }


# Again: by our schedule, or because a person asked for it


def collect(invoice: Invoice, *, real_now: datetime) -> None:
    """One more try for an issued invoice. Called outside transactions."""
    now = invoice.vendor.now(real_now)
    claimed = _claim_again(invoice, now, real_now)
    if claimed is None:
        return
    attempt, is_new = claimed
    try:
        outcome = ask(attempt, again=not is_new)
    except GatewayUnavailable as error:
        wait(attempt.invoice, error, pause=growing_pause(attempt.real_started_at, real_now), real_now=real_now)
        return
    with transaction.atomic():
        invoice = locked(invoice)
        close(attempt, outcome, now)
        _rest(invoice)
        apply(invoice, outcome, now=now, real_now=real_now)


def _claim_again(invoice: Invoice, now: datetime, real_now: datetime) -> tuple[ChargeAttempt, bool] | None:
    """None: nothing to charge any more, or a payment is under way at the bank."""
    with transaction.atomic(durable=True):
        invoice = locked(invoice)
        under_way = invoice.charge_attempts.filter(state__in=UNDER_WAY).first()
        if under_way and under_way.state == State.SENDING:
            return under_way, False
        is_due = invoice.state in OPEN and invoice.next_action == InvoiceAction.COLLECT and not invoice.paused_at
        if not is_due or under_way or invoice.amount_remaining <= 0:
            _rest(invoice)
            return None
        if not policy_for(invoice.customer).charges_enabled:
            _rest(invoice, SWITCHED_OFF)
            return None
        return open_attempt(invoice, now=now, real_now=real_now), True


def _rest(invoice: Invoice, error: str = "") -> None:
    columns: dict[str, Any] = {"last_error": error, "failures": 0, "claim_token": None, "claimed_until": None}
    if invoice.next_action == InvoiceAction.COLLECT:
        columns |= {"next_action": InvoiceAction.NONE, "next_action_at": None}
    Invoice.objects.filter(pk=invoice.pk).update(**columns)


# News


def find(vendor: Vendor, reference: str) -> ChargeAttempt | None:
    rows = ChargeAttempt.objects.select_related("invoice").filter(invoice__vendor=vendor)
    return rows.filter(idempotency_key=reference).first() if reference else None


def settle(attempt: ChargeAttempt, outcome: GatewayCharge, *, real_now: datetime) -> str:
    """What the gateway says of a charge of ours, unasked. Telling it the same twice changes nothing; raises
    ``StillCharging``."""
    with transaction.atomic():
        invoice = locked(attempt.invoice)
        attempt.refresh_from_db()
        if attempt.state == State.SENDING:
            raise StillCharging(f"{invoice} is being charged at this moment.")
        now = invoice.vendor.now(real_now)
        if attempt.state != State(outcome.status):
            close(attempt, outcome, now)
        return apply(invoice, outcome, now=now, real_now=real_now)
