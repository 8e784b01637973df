"""When is a failed payment tried again, and by whom?

One debt is chased by one schedule. Where the gateway advances an invoice by itself, it retries on its own schedule
and we only show when. Every other invoice that is charged automatically is tried again by ours, as the settings say,
unless the bank said never, or asks for the customer in person: then it waits, and says for whom.
"""

from __future__ import annotations

from datetime import datetime

from customers.settings.policy import BillingPolicy, policy_for
from invoicing.gateways import Collection, Retry
from invoicing.invoices.ledger import Payment
from invoicing.invoices.models import Invoice
from invoicing.invoices.schedule import retry_at
from invoicing.invoices.states import InvoiceAction, InvoiceStatus


def is_ours_to_retry(invoice: Invoice) -> bool:
    return invoice.gateway_collection == Collection.CHARGE_AUTOMATICALLY and not invoice.gateway_advances


def next_try(invoice: Invoice, policy: BillingPolicy) -> datetime | None:
    """When we try the payment again by ourselves; None: not by ourselves."""
    failed_at = invoice.latest_payment_attempt_at
    if invoice.state != InvoiceStatus.PAYMENT_FAILED or failed_at is None or not is_ours_to_retry(invoice):
        return None
    if invoice.retry_advice != Retry.AGAIN:
        return None
    return retry_at(invoice.payment_retry_attempt, failed_at, policy)


def plan(invoice: Invoice, now: datetime) -> None:
    """Plan the next try, or none. What a person decided, and what is due, under way or held
    back, stays as it is."""
    planned = InvoiceAction(invoice.next_action)
    if invoice.paused_at or planned not in (InvoiceAction.NONE, InvoiceAction.COLLECT):
        return
    if planned == InvoiceAction.COLLECT and (invoice.next_action_at or now) <= now:
        return
    under_way = invoice.payments.filter(state=Payment.State.PENDING).exists()
    at = None if under_way else next_try(invoice, policy_for(invoice.customer))
    action = InvoiceAction.COLLECT if at else InvoiceAction.NONE
    if (action, at) == (planned, invoice.next_action_at):
        return
    invoice.next_action, invoice.next_action_at, invoice.action_request = action, at, {}
    invoice.save(update_fields=["next_action", "next_action_at", "action_request"])
