"""What is due, in the order of its life: end cycles, generate invoices, hand out invoice steps.

The database is the queue and Celery the muscle: a flushed broker loses nothing, because whatever is due
stays due until its step is recorded.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from customers.billing_pause import NOT_PAUSED
from customers.claims import any_of, claim, in_hand, release, renew, retry_delay
from customers.counters import count
from customers.log_context import about
from customers.settings.policy import policies_for
from customers.vendor import Vendor
from invoicing.gateways import GatewayError, GatewayInvoice, GatewayUnavailable, Retry, get_gateway
from invoicing.invoices import charging, refunds
from invoicing.invoices.added import charge_added
from invoicing.invoices.collection import settle
from invoicing.invoices.generation import generate_due
from invoicing.invoices.issue import issue
from invoicing.invoices.ledger import Payment
from invoicing.invoices.models import Channel, Invoice
from invoicing.invoices.numbering import assign_numbers
from invoicing.invoices.schedule import channel_for
from invoicing.invoices.states import InvoiceAction
from invoicing.invoices.waiting import wait
from invoicing.subscriptions.advance import end_due_cycles
from invoicing.subscriptions.models import AddOnChange, BillingCycle, CycleAction

logger = logging.getLogger(__name__)
steps = logging.getLogger("invoicing.steps")

CHUNK = 500
# Until the gateway is asked again for what a person decided here: they wait for it.
SHORTLY = timedelta(seconds=30)

# What a person has decided is done while billing is paused, too.
BY_ITSELF = Q(next_action=InvoiceAction.ISSUE) | Q(next_action=InvoiceAction.COLLECT, action_request={})

HandOver = Callable[[int, uuid.UUID], None]


def advance(due: Q, *, real_now: datetime, hand_over: HandOver) -> None:
    """Everything that is due under this condition. ``hand_over`` gives one claimed invoice to a worker."""
    cycles = BillingCycle.objects.filter(due, NOT_PAUSED)
    if any_of(cycles.order_by("next_action_at", "pk")):
        _advance_cycles(cycles, real_now)
    while charge_added(AddOnChange.objects.filter(due, NOT_PAUSED), limit=CHUNK, real_now=real_now):
        pass
    hand_out(due, real_now=real_now, hand_over=hand_over)


def _advance_cycles(cycles: QuerySet[BillingCycle], real_now: datetime) -> None:
    # What is billed in advance comes before the end of its cycle, which may be over already.
    while done := generate_due(cycles.filter(next_action=CycleAction.OPEN), limit=CHUNK, real_now=real_now):
        count(cycles_billed=done)
    while end_due_cycles(cycles.filter(next_action=CycleAction.END), limit=CHUNK, real_now=real_now):
        pass
    while done := generate_due(cycles, limit=CHUNK, real_now=real_now):
        count(cycles_billed=done)


def hand_out(due: Q, *, real_now: datetime, hand_over: HandOver) -> None:
    """Claim due invoices, number those about to be issued, give each to a worker.

    Never more than a batch is in hand: what waits longer in the broker than its lease is done twice over.
    """
    rows = Invoice.objects.filter(due, NOT_PAUSED | ~BY_ITSELF).order_by("next_action_at", "pk")
    if not any_of(rows):
        return
    free = settings.CLAIM_BATCH - in_hand(rows, real_now)
    if free <= 0:
        return
    token, ids = claim(rows, real_now=real_now, lease=settings.CLAIM_LEASE, limit=free)
    _number(ids, real_now)
    for pk in ids:
        hand_over(pk, token)


def _number(ids: list[int], real_now: datetime) -> None:
    waiting = Invoice.objects.filter(pk__in=ids, number="", next_action=InvoiceAction.ISSUE)
    by_vendor: dict[Vendor, dict[int, int]] = {}
    for invoice in waiting.select_related("vendor"):
        by_vendor.setdefault(invoice.vendor, {})[invoice.pk] = invoice.customer_id
    for vendor, customers in by_vendor.items():
        policies = policies_for(vendor, set(customers.values()))
        leaving = [pk for pk, customer in customers.items() if channel_for(policies[customer]) != Channel.NONE]
        assign_numbers(vendor, leaving, real_now=real_now)


def perform(pk: int, token: uuid.UUID, *, real_now: datetime) -> None:
    """One claimed invoice's next step. Quietly nothing when the claim has passed to somebody else.

    A step that raises does not stall the queue: its error is kept and shown, and it is tried again later.
    """
    if not renew(Invoice, pk, token, real_now=real_now, lease=settings.CLAIM_LEASE):
        return
    invoice = Invoice.objects.select_related("vendor", "customer").filter(pk=pk).first()
    if invoice is None:  # deleted in this very moment
        return
    with about(vendor=invoice.vendor.name, invoice=invoice.uuid):
        _take_step(invoice, real_now)


def _take_step(invoice: Invoice, real_now: datetime) -> None:
    pk, step = invoice.pk, invoice.next_action
    try:
        _STEPS[InvoiceAction(step)](invoice, real_now)
        count(**{f"invoice_steps:{step}:ok": 1})
        steps.info("The step %s was taken", step, extra={"fields": {"step": step}})
    except Exception as error:
        count(**{f"invoice_steps:{step}:error": 1})
        logger.exception("The step %s of invoice %s failed", step, invoice.uuid)
        Invoice.objects.filter(pk=pk).update(
            last_error=f"{type(error).__name__}: {error}",
            failures=invoice.failures + 1,
            next_action_at=invoice.vendor.now(real_now) + retry_delay(invoice.failures + 1),
        )
        release(Invoice, pk)


def _issue(invoice: Invoice, real_now: datetime) -> None:
    issue(invoice, real_now=real_now)


def _nothing(invoice: Invoice, real_now: datetime) -> None:
    """Somebody has dealt with it between claim and step."""
    release(Invoice, invoice.pk)


def _collect(invoice: Invoice, real_now: datetime) -> None:
    """Try the payment. What is asked for is frozen first, to be asked for again in the same words."""
    if invoice.is_charged_by_us:
        charging.collect(invoice, real_now=real_now)
        return
    gateway = get_gateway(invoice.gateway)
    request = _frozen(invoice)
    _pass_on(invoice, real_now, partial(gateway.collect, *_there(invoice), **request))


def _frozen(invoice: Invoice) -> dict[str, Any]:
    if "idempotency_key" not in invoice.action_request:
        known = invoice.payments.filter(is_by_hand=False).exclude(state=Payment.State.ACTION_REQUIRED).count()
        key = f"invoice-{invoice.uuid}-collect-{known}-{uuid.uuid4().hex[:8]}"
        invoice.action_request = {**invoice.action_request, "idempotency_key": key, "known": known}
        Invoice.objects.filter(pk=invoice.pk).update(action_request=invoice.action_request)
    return dict(invoice.action_request)


def _there(invoice: Invoice) -> tuple[str, str]:
    """Where the gateway holds it."""
    return invoice.gateway_account, invoice.external_invoice_id


def _send_at_gateway(invoice: Invoice, real_now: datetime) -> None:
    call = partial(get_gateway(invoice.gateway).send_invoice, *_there(invoice))
    _pass_on(invoice, real_now, partial(call, **invoice.action_request))


def _void_at_gateway(invoice: Invoice, real_now: datetime) -> None:
    call = partial(get_gateway(invoice.gateway).void_invoice, *_there(invoice))
    _pass_on(invoice, real_now, partial(call, idempotency_key=f"invoice-{invoice.uuid}-void"))


def _uncollectible_at_gateway(invoice: Invoice, real_now: datetime) -> None:
    call = partial(get_gateway(invoice.gateway).mark_uncollectible, *_there(invoice))
    _pass_on(invoice, real_now, partial(call, idempotency_key=f"invoice-{invoice.uuid}-uncollectible"))


def _mark_paid_at_gateway(invoice: Invoice, real_now: datetime) -> None:
    call = partial(get_gateway(invoice.gateway).mark_paid, *_there(invoice))
    _pass_on(invoice, real_now, partial(call, idempotency_key=f"invoice-{invoice.uuid}-paid"))


def _refund(invoice: Invoice, real_now: datetime) -> None:
    try:
        refunds.carry_out(invoice, real_now=real_now)
    except GatewayUnavailable as error:
        wait(invoice, error, pause=SHORTLY, real_now=real_now)


def _pass_on(invoice: Invoice, real_now: datetime, call: Callable[[], GatewayInvoice]) -> None:
    """Tell the gateway of what was decided here; without an answer, ask again soon with the same key."""
    state, problem = None, ""
    try:
        state = call()
    except GatewayUnavailable as error:
        wait(invoice, error, pause=SHORTLY, real_now=real_now)
        return
    except GatewayError as error:
        problem = f"Stripe refused: {error.message}"
    with transaction.atomic():
        _done(invoice, problem or (state and (state.refused or state.error)) or "")
        if state and state.refused and invoice.next_action == InvoiceAction.COLLECT:
            _cannot_be_charged(invoice, state.refused)
        if state:
            settle(invoice.external_invoice_id, state, real_now=real_now, gateway=invoice.gateway)


def _done(invoice: Invoice, problem: str) -> None:
    """Nothing planned any more, unless somebody decided otherwise during the call."""
    rows = Invoice.objects.filter(pk=invoice.pk)
    rows.filter(claim_token=invoice.claim_token).update(
        next_action=InvoiceAction.NONE, next_action_at=None, action_request={}, claim_token=None, claimed_until=None
    )
    rows.update(last_error=problem)


def _cannot_be_charged(invoice: Invoice, why: str) -> None:
    """No charge was even made: trying again by itself would end the same way."""
    Invoice.objects.filter(pk=invoice.pk).update(retry_advice=Retry.NEVER, payment_error=why)


_STEPS: dict[InvoiceAction, Callable[[Invoice, datetime], None]] = {
    InvoiceAction.ISSUE: _issue,
    InvoiceAction.COLLECT: _collect,
    InvoiceAction.VOID_AT_GATEWAY: _void_at_gateway,
    InvoiceAction.UNCOLLECTIBLE_AT_GATEWAY: _uncollectible_at_gateway,
    InvoiceAction.MARK_PAID_AT_GATEWAY: _mark_paid_at_gateway,
    InvoiceAction.SEND_AT_GATEWAY: _send_at_gateway,
    InvoiceAction.REFUND: _refund,
    InvoiceAction.APPROVE: _nothing,
    InvoiceAction.NONE: _nothing,
}
