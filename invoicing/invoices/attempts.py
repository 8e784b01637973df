"""Claim: before anything leaves the building, a row says what is about to happen, and is committed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from customers.settings.declaration import DetailLevel
from customers.settings.policy import BillingPolicy, policy_for
from invoicing.gateways import GATEWAY, Advance, Collection, InvoiceOrder, OrderLine, OrderTax, get_gateway
from invoicing.invoices import charging
from invoicing.invoices.compose import bank_details
from invoicing.invoices.detail import detail_level, line_text
from invoicing.invoices.documents.wording import bank_rows
from invoicing.invoices.lifecycle import locked
from invoicing.invoices.models import (
    AttemptState,
    Channel,
    EmailKind,
    EmailState,
    Invoice,
    IssueAttempt,
    LineItem,
)
from invoicing.invoices.outbox import new_email, recipients
from invoicing.invoices.papers import keep_document
from invoicing.invoices.schedule import channel_for, chosen_day, chosen_due_date, due_date
from invoicing.invoices.states import BEFORE_ISSUE, InvoiceAction
from invoicing.invoices.taxing import is_by_gateway, tax_for_issue, tax_note


@dataclass(frozen=True)
class Claimed:
    """An attempt that is written down. ``is_new`` is False when an earlier process left it under way."""

    attempt: IssueAttempt
    is_new: bool


def claim_attempt(invoice: Invoice, *, now: datetime, real_now: datetime) -> Claimed | None:
    """Open the next attempt to issue, or find the one that is under way. None: nothing to issue any more."""
    with transaction.atomic(durable=True):
        invoice = locked(invoice)
        if invoice.state not in BEFORE_ISSUE or invoice.next_action != InvoiceAction.ISSUE or invoice.paused_at:
            return None
        under_way = invoice.issue_attempts.filter(state=AttemptState.SENDING).first()
        if under_way and _has_left(under_way):
            _follow_account(under_way)
            return Claimed(under_way, is_new=False)
        policy = policy_for(invoice.customer)
        tax_for_issue(invoice, policy)
        _date(invoice, policy, now)
        return Claimed(_open(invoice, policy, now=now, real_now=real_now), is_new=True)


def _has_left(attempt: IssueAttempt) -> bool:
    """False for an order that had no account to go to. It was never sent, so the settings are read again."""
    if attempt.channel != Channel.GATEWAY or attempt.request["account"]:
        return True
    attempt.delete()
    return False


def _follow_account(attempt: IssueAttempt) -> None:
    """An order that no account has taken up goes to the one that acts now, if its own was disconnected: at most
    an empty draft stays behind, in an account that cannot be reached."""
    if attempt.channel != Channel.GATEWAY or attempt.external_id:
        return
    gateway = get_gateway(GATEWAY)
    acting = gateway.acting_account(attempt.request["vendor_id"])
    if acting and acting != attempt.request["account"] and not gateway.can_act(attempt.request["account"]):
        attempt.request = {**attempt.request, "account": acting}
        attempt.save(update_fields=["request"])


def _date(invoice: Invoice, policy: BillingPolicy, now: datetime) -> None:
    """The settings and dates this attempt is made under, kept with the invoice."""
    invoice.issue_date, invoice.due_date = now, due_date(now, policy, chosen_due_date(invoice, now))
    invoice.policy_snapshot = policy.snapshot()
    invoice.latest_invoice_attempt_at = now
    invoice.save(update_fields=["issue_date", "due_date", "policy_snapshot", "latest_invoice_attempt_at"])


def _open(invoice: Invoice, policy: BillingPolicy, *, now: datetime, real_now: datetime) -> IssueAttempt:
    number = invoice.issue_attempts.count() + 1
    channel = channel_for(policy)
    attempt = IssueAttempt.objects.create(
        invoice=invoice,
        number=number,
        channel=channel,
        idempotency_key=f"invoice-{invoice.uuid}-issue-{number}",
        request=_request(invoice, policy, channel),
        started_at=now,
        real_started_at=real_now,
    )
    if attempt.request.get("charge"):
        charging.open_attempt(invoice, now=now, real_now=real_now)
        return attempt
    if channel != Channel.NONE:
        keep_document(invoice, policy, now)
    if channel == Channel.EMAIL:
        _announce_email(attempt, now)
    return attempt


def _request(invoice: Invoice, policy: BillingPolicy, channel: Channel) -> dict[str, Any]:
    if channel == Channel.GATEWAY:
        return order_for(invoice, policy).as_json()
    if channel == Channel.EMAIL:
        to = recipients(invoice)
        return {"to": to, "charge": bool(to) and charging.is_wanted(invoice, policy)}
    return {}


def order_for(invoice: Invoice, policy: BillingPolicy) -> InvoiceOrder:
    """The invoice as the gateway is asked to make it."""
    level = detail_level(invoice, policy)
    lines = [_order_line(line, level) for line in invoice.line_items.all()]
    return InvoiceOrder(
        invoice_uuid=str(invoice.uuid),
        vendor_id=invoice.vendor_id,
        account=get_gateway(GATEWAY).acting_account(invoice.vendor_id),
        customer_id=invoice.customer_id,
        number=invoice.number,
        currency=invoice.currency,
        total=invoice.amount_due,
        memo=invoice.memo,
        collection=Collection.CHARGE_AUTOMATICALLY if policy.charges_enabled else Collection.SEND_INVOICE,
        days_until_due=policy.days_until_due,
        advance=_advance(policy),
        lines=tuple(lines),
        footer=_footer(invoice, policy),
        tax=_tax(invoice),
        tax_by_gateway=is_by_gateway(policy),
        due_date=chosen_day(invoice, invoice.issue_date),
    )


def _tax(invoice: Invoice) -> OrderTax | None:
    if not invoice.tax_rate:
        return None
    return OrderTax(f"{invoice.tax_rate.normalize():f}", invoice.tax_amount, inclusive=invoice.tax_inclusive)


def _footer(invoice: Invoice, policy: BillingPolicy) -> str:
    """What the law wants said of its tax, and where to pay by wire, as our own document prints it."""
    note = [said] if (said := tax_note(invoice)) else []
    return "\n".join([*note, *(f"{label}: {text}" for label, text in bank_rows(bank_details(policy)))])


def _advance(policy: BillingPolicy) -> Advance:
    if not policy.stripe_auto_advance:
        return Advance.DRAFT
    return Advance.AT_ONCE if policy.stripe_immediate_finalization else Advance.SCHEDULED


def _order_line(line: LineItem, level: DetailLevel) -> OrderLine:
    start, end = line.start_time.isoformat(), line.end_time.isoformat()
    return OrderLine(str(line.uuid), line_text(line, level), line.amount, start, end, line.name)


def _announce_email(attempt: IssueAttempt, now: datetime) -> None:
    """Sent by this attempt itself, so it waits for nobody."""
    email = new_email(attempt.invoice, EmailKind.INVOICE, f"issue-{attempt.number}", now=now)
    email.recipients, email.state, email.next_action_at = attempt.request["to"], EmailState.SENDING, None
    email.save()
