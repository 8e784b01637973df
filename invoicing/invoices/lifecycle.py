"""The verbs of an invoice's life, and the only writer of its status.

Operators, the API, the schedule and the gateway's news all come through here and get the same refusals.
Each verb runs in its caller's transaction or opens one; none of them talks to the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from customers.actors import Actor
from customers.errors import Busy, Conflict, Missing
from customers.events.models import EventKind, SubjectKind
from customers.events.record import Fact, record
from invoicing.invoices.charge_attempts import UNDER_WAY
from invoicing.invoices.models import AttemptState, Channel, EmailKind, Invoice
from invoicing.invoices.outbox import queue, tell_customer
from invoicing.invoices.payments import write_by_hand
from invoicing.invoices.states import BEFORE_ISSUE, MIRRORED, OPEN, TRANSITIONS, InvoiceAction, InvoiceStatus
from invoicing.invoices.verbs import InvoiceVerb, check, is_collectable, is_sent_by_gateway
from invoicing.subscriptions.models import BillingCycle, ProrationCredit, Subscription

S = InvoiceStatus


NOT_PAUSED: Mapping[str, Any] = {"paused_at": None, "paused_by": "", "pause_reason": ""}


class StaleInvoice(Conflict):
    code = "stale"

    def __init__(self, invoice: Invoice) -> None:
        super().__init__(f"{invoice} has changed meanwhile. Look at it again before you decide.")


def locked(invoice: Invoice) -> Invoice:
    """The invoice as it is now, locked until the transaction ends. Raises ``Missing``."""
    rows = Invoice.objects.select_for_update(of=("self",)).select_related("vendor", "customer")
    found = rows.filter(pk=invoice.pk).first()
    if found is None:
        raise Missing(f"There is no {invoice} any more: it was deleted, or generated again.")
    return found


def note_fact(
    invoice: Invoice,
    kind: EventKind,
    *,
    actor: Actor,
    now: datetime,
    real_now: datetime,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write down what happened to an invoice, without changing it, and queue the e-mail that tells its customer."""
    record(invoice.vendor, invoice_fact(invoice, kind, details), actor=actor, now=now, real_now=real_now)
    tell_customer(invoice, kind, details or {}, now=now)


def invoice_fact(invoice: Invoice, kind: EventKind, details: Mapping[str, Any] | None = None) -> Fact:
    return Fact(
        kind,
        SubjectKind.INVOICE,
        invoice.pk,
        customer_id=invoice.customer_id,
        payload={
            "customer_name": invoice.customer.name,
            "invoice_id": str(invoice.uuid),
            "status": invoice.status,
        },
        details=details or {},
    )


def transition(
    invoice: Invoice,
    to: InvoiceStatus,
    kind: EventKind,
    *,
    actor: Actor,
    now: datetime,
    real_now: datetime,
    details: Mapping[str, Any] | None = None,
    **columns: Any,
) -> Invoice:
    """Check the table, change one row that still has the expected status, write the event: all or nothing.

    Raises ``Conflict`` where the table has no such step and ``StaleInvoice`` where somebody was faster.
    """
    _refuse_unless(to in TRANSITIONS[invoice.state], invoice, to)
    said = {"from": invoice.state, "to": to, **(details or {})}
    columns |= _after(to, now)
    return _step(
        invoice, to, columns, lambda: note_fact(invoice, kind, actor=actor, now=now, real_now=real_now, details=said)
    )


def mirror(
    invoice: Invoice,
    to: InvoiceStatus,
    kind: EventKind,
    *,
    actor: Actor,
    now: datetime,
    real_now: datetime,
    **columns: Any,
) -> Invoice:
    """``transition``, for what the gateway says has happened although nobody here could have decided it."""
    _refuse_unless(to in MIRRORED[invoice.state], invoice, to)
    said = {"from": invoice.state, "to": to}
    columns |= _after(to, now)
    return _step(
        invoice, to, columns, lambda: note_fact(invoice, kind, actor=actor, now=now, real_now=real_now, details=said)
    )


def _after(to: InvoiceStatus, now: datetime) -> dict[str, Any]:
    """Reminders are for those who have yet to pay; which and when, the next look decides. What is finished is no
    longer held back."""
    if to in OPEN:
        return {"next_reminder_at": now}
    return {"next_reminder_at": None, **({} if to in BEFORE_ISSUE else NOT_PAUSED)}


def _refuse_unless(is_allowed: bool, invoice: Invoice, to: InvoiceStatus) -> None:
    if not is_allowed:
        words = f"{invoice} is {invoice.state.label.lower()} and cannot become {to.label.lower()}."
        raise Conflict(words, code="illegal_transition")


def _step(invoice: Invoice, to: InvoiceStatus, columns: dict[str, Any], note: Callable[[], None]) -> Invoice:
    origin = invoice.state
    with transaction.atomic():
        changed = Invoice.objects.filter(pk=invoice.pk, status=origin).update(status=to, **columns)
        if not changed:
            raise StaleInvoice(invoice)
        for name, value in {"status": to, **columns}.items():
            setattr(invoice, name, value)
        note()
    return invoice


def approve(invoice: Invoice, *, actor: Actor, now: datetime, real_now: datetime) -> Invoice:
    """Let a generated invoice be issued when its payment grace period is over, or at once if it is."""
    with transaction.atomic():
        invoice = locked(invoice)
        check(invoice, InvoiceVerb.APPROVE)
        invoice.is_approved, invoice.approved_at = True, now
        invoice.next_action = InvoiceAction.ISSUE
        invoice.next_action_at = None if invoice.paused_at else invoice.issue_date
        invoice.save(update_fields=["is_approved", "approved_at", "next_action", "next_action_at"])
        note_fact(invoice, EventKind.INVOICE_APPROVED, actor=actor, now=now, real_now=real_now)
    return invoice


def push(invoice: Invoice, *, actor: Actor, now: datetime, real_now: datetime) -> Invoice:
    """Take the next step now: approve if need be and issue without waiting, or try the payment again."""
    with transaction.atomic():
        invoice = locked(invoice)
        check(invoice, InvoiceVerb.PUSH)
        if is_collectable(invoice):
            refuse_while_asking(invoice, real_now)
            invoice.next_action, invoice.action_request = InvoiceAction.COLLECT, {}
            asked = "Try the payment again."
        else:
            asked = "Issue it now." if invoice.is_approved else ""  # that it is approved is told of itself
            if not invoice.is_approved:
                invoice = approve(invoice, actor=actor, now=now, real_now=real_now)
            invoice.next_action, invoice.issue_date = InvoiceAction.ISSUE, now
        if asked:
            _note_asked(invoice, asked, actor=actor, now=now, real_now=real_now)
        invoice.next_action_at = now
        invoice.claim_token = invoice.claimed_until = None
        invoice.save(update_fields=["issue_date", *_PLAN])
    return invoice


def _note_asked(invoice: Invoice, what: str, *, actor: Actor, now: datetime, real_now: datetime) -> None:
    """What comes of it is told when it is known; who asked for it, here."""
    fact = {"note": what}
    note_fact(invoice, EventKind.INVOICE_PUSHED, actor=actor, now=now, real_now=real_now, details=fact)


_PLAN = ("next_action", "next_action_at", "action_request", "claim_token", "claimed_until")


def pay(invoice: Invoice, *, method: str = "", actor: Actor, now: datetime, real_now: datetime) -> Invoice:
    """Charge what is still due now, with this payment method or the one the gateway would take by itself."""
    with transaction.atomic():
        invoice = locked(invoice)
        check(invoice, InvoiceVerb.PAY)
        refuse_while_asking(invoice, real_now)
        _ask_gateway(invoice, InvoiceAction.COLLECT, {"method": method} if method else {}, now)
        asked = f"Charge {method} now." if method else "Charge it now."
        _note_asked(invoice, asked, actor=actor, now=now, real_now=real_now)
    return invoice


def send(invoice: Invoice, *, actor: Actor, now: datetime, real_now: datetime) -> Invoice:
    """E-mail an issued invoice again, to the customer's present addresses: by ourselves, with the PDF as it was
    issued, or through the gateway where that sent it."""
    with transaction.atomic():
        invoice = locked(invoice)
        check(invoice, InvoiceVerb.SEND)
        if is_sent_by_gateway(invoice):
            refuse_while_asking(invoice, real_now)
            again = {"idempotency_key": f"invoice-{invoice.uuid}-send-{real_now.timestamp():.0f}"}
            _ask_gateway(invoice, InvoiceAction.SEND_AT_GATEWAY, again, now)
        else:
            queue(invoice, EmailKind.INVOICE, f"again-{real_now.isoformat()}", now=now)
        note_fact(invoice, EventKind.INVOICE_RESENT, actor=actor, now=now, real_now=real_now)
    return invoice


def refuse_while_asking(invoice: Invoice, real_now: datetime) -> None:
    """A call under way, or a decision that the gateway was not told of yet, is not pushed aside."""
    if invoice.next_action not in (InvoiceAction.NONE, InvoiceAction.COLLECT) or is_asking(invoice, real_now):
        raise waits_for_answer(invoice)


def _refuse_while_charging(invoice: Invoice, real_now: datetime) -> None:
    """Money that came elsewhere and a charge that is being made would pay it twice."""
    if invoice.next_action == InvoiceAction.COLLECT and is_asking(invoice, real_now):
        raise waits_for_answer(invoice)


def is_asking(invoice: Invoice, real_now: datetime) -> bool:
    is_claimed = invoice.claim_token is not None and (invoice.claimed_until or real_now) > real_now
    return is_claimed or bool(invoice.action_request)


def waits_for_answer(invoice: Invoice) -> Busy:
    return Busy(f"{invoice} waits for an answer from Stripe. Try again when that is there.")


def _ask_gateway(invoice: Invoice, action: InvoiceAction, request: Mapping[str, Any], now: datetime) -> None:
    invoice.next_action, invoice.next_action_at, invoice.action_request = action, now, dict(request)
    invoice.claim_token = invoice.claimed_until = None
    invoice.save(update_fields=_PLAN)


def delete(invoice: Invoice, *, actor: Actor, now: datetime, real_now: datetime) -> None:
    """Before it has a number an invoice may be deleted. Its cycle waits for a person to generate it again."""
    with transaction.atomic():
        invoice = locked(invoice)
        check(invoice, InvoiceVerb.DELETE)
        details = {"amount_due": invoice.amount_due, "currency": invoice.currency}
        note_fact(invoice, EventKind.INVOICE_DELETED, actor=actor, now=now, real_now=real_now, details=details)
        take_back_opening(invoice)
        invoice.delete()


def take_back_opening(invoice: Invoice) -> None:
    """What it billed of a cycle before its end is billed at that cycle's end. Raises ``Conflict`` where the invoice
    of that end relies on it."""
    cycle = invoice.opens or invoice.adds_to
    if cycle is None:
        return
    # As when that cycle is billed: its invoice either comes first, or knows that this one is gone.
    Subscription.objects.select_for_update(no_key=True).get(pk=cycle.subscription_id)
    if Invoice.objects.filter(cycle=cycle).exists():
        raise Conflict("The next billing cycle's invoice counts on what this one billed in advance: delete it first.")
    BillingCycle.objects.filter(pk=cycle.pk, opening_invoice=invoice).update(opened=False)
    ProrationCredit.objects.filter(cycle=cycle, line_items__isnull=True).delete()


def void(invoice: Invoice, *, actor: Actor, reason: str, now: datetime, real_now: datetime) -> Invoice:
    """Declare an unpaid invoice void. What the gateway holds is voided by the next step, at once."""
    with transaction.atomic():
        invoice = locked(invoice)
        check(invoice, InvoiceVerb.VOID)
        refuse_while_sending(invoice)
        return transition(
            invoice,
            S.VOIDED,
            EventKind.INVOICE_VOIDED,
            actor=actor,
            now=now,
            real_now=real_now,
            details={"reason": reason},
            voided_at=now,
            **_tell_gateway(invoice, InvoiceAction.VOID_AT_GATEWAY, now),
        )


def mark_paid(invoice: Invoice, *, actor: Actor, now: datetime, real_now: datetime) -> Invoice:
    """The money arrived outside the gateway: a payment of all that remained."""
    with transaction.atomic():
        invoice = locked(invoice)
        check(invoice, InvoiceVerb.MARK_PAID)
        refuse_while_paying(invoice, real_now)
        if invoice.amount_remaining:
            write_by_hand(invoice, invoice.amount_remaining, "", "", now)
        return paid_elsewhere(invoice, actor=actor, now=now, real_now=real_now, paid_at=now)


def refuse_while_paying(invoice: Invoice, real_now: datetime) -> None:
    refuse_while_sending(invoice)
    _refuse_while_charging(invoice, real_now)


def paid_elsewhere(
    invoice: Invoice,
    *,
    actor: Actor,
    now: datetime,
    real_now: datetime,
    paid_at: datetime,
    excess: int = 0,
    note: str = "",
) -> Invoice:
    """All that remained has come outside the gateway, which is told of it. The invoice is locked."""
    return transition(
        invoice,
        S.PAID,
        EventKind.INVOICE_PAID,
        actor=actor,
        now=now,
        real_now=real_now,
        details={"by_hand": True, **({"note": f"{note}."} if note else {})},
        paid_at=paid_at,
        amount_paid=invoice.amount_paid + invoice.amount_remaining,
        amount_overpaid=invoice.amount_overpaid + excess,
        **_tell_gateway(invoice, InvoiceAction.MARK_PAID_AT_GATEWAY, now),
    )


def mark_uncollectible(invoice: Invoice, *, actor: Actor, reason: str, now: datetime, real_now: datetime) -> Invoice:
    """Give an issued invoice up as a bad debt: nobody chases it any more. It may still be paid, or voided."""
    with transaction.atomic():
        invoice = locked(invoice)
        check(invoice, InvoiceVerb.MARK_UNCOLLECTIBLE)
        refuse_while_sending(invoice)
        return transition(
            invoice,
            S.UNCOLLECTIBLE,
            EventKind.INVOICE_UNCOLLECTIBLE,
            actor=actor,
            now=now,
            real_now=real_now,
            details={"reason": reason},
            **_tell_gateway(invoice, InvoiceAction.UNCOLLECTIBLE_AT_GATEWAY, now),
        )


def refuse_while_sending(invoice: Invoice) -> None:
    """While an attempt is under way nobody can know yet what it will have done."""
    if invoice.issue_attempts.filter(state=AttemptState.SENDING, channel=Channel.GATEWAY).exists():
        raise Busy(f"{invoice} is being issued at this moment. Try again when that is done.")
    if invoice.charge_attempts.filter(state__in=UNDER_WAY).exists():
        raise Busy(f"A payment of {invoice} is under way. Try again when its outcome is known.")


def _tell_gateway(invoice: Invoice, action: InvoiceAction, now: datetime) -> dict[str, Any]:
    """The next action after a person's decision: pass it on where the gateway holds the invoice too."""
    planned = (action, now) if invoice.external_invoice_id else (InvoiceAction.NONE, None)
    unclaimed: dict[str, Any] = {"action_request": {}, "claim_token": None, "claimed_until": None}
    return {"next_action": planned[0], "next_action_at": planned[1], **unclaimed}
