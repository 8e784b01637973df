"""From ended billing cycles to generated invoices, a chunk at a time with a constant number of queries."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet

from customers.actors import SCHEDULE
from customers.claims import retry_delay, unclaimed
from customers.copying import copy_objects, give_keys
from customers.events.models import Event, EventKind
from customers.events.record import build_event
from customers.settings.policy import BillingPolicy
from customers.vendor import Vendor
from invoicing.catalog.models import PricePlan
from invoicing.invoices.documents.memo import render_memo
from invoicing.invoices.holding import Bill, last_bills, reason_to_hold
from invoicing.invoices.lifecycle import invoice_fact
from invoicing.invoices.lines import write_lines
from invoicing.invoices.models import Invoice
from invoicing.invoices.rated import Draft, drafted
from invoicing.invoices.schedule import first_action, issue_time
from invoicing.invoices.snapshot import snapshot_of
from invoicing.invoices.states import InvoiceAction
from invoicing.invoices.taxing import flat_tax
from invoicing.rating.terms import RatedLine
from invoicing.subscriptions.advance import planned_in_peace, policies_of
from invoicing.subscriptions.models import BillingCycle, CycleAction, ProrationCredit

logger = logging.getLogger(__name__)


_WRITTEN = (CycleAction.OPEN, CycleAction.GENERATE)


def generate_due(due: QuerySet[BillingCycle], *, limit: int, real_now: datetime) -> int:
    """Generate the invoices of up to ``limit`` due cycles. Returns how many cycles were dealt with.

    1. Lock free cycles, oldest first; others' cycles are skipped.
    2. Rate the whole chunk and write invoices, lines and events.
    3. If anything raises, nothing of the chunk is kept and its cycles are taken one by one, so that the
       one that cannot be rated is set aside with its error and delays nobody.
    """
    ready = due.filter(unclaimed(real_now), next_action__in=_WRITTEN).order_by("next_action_at", "pk")
    try:
        return _generate_chunk(ready, limit, real_now)
    except Exception:
        logger.exception("A chunk of cycles could not be generated; taking its cycles one by one")
    ids = list(ready.values_list("pk", flat=True)[:limit])
    for pk in ids:
        _generate_alone(ready.filter(pk=pk), pk, real_now)
    return len(ids)


def _generate_alone(ready: QuerySet[BillingCycle], pk: int, real_now: datetime) -> None:
    try:
        _generate_chunk(ready, 1, real_now)
    except Exception as error:
        logger.exception("Cycle %s could not be generated", pk)
        cycle = BillingCycle.objects.select_related("vendor").get(pk=pk)
        cycle.last_error = f"{type(error).__name__}: {error}"
        cycle.failures += 1
        cycle.next_action_at = cycle.vendor.now(real_now) + retry_delay(cycle.failures)
        cycle.save(update_fields=["last_error", "failures", "next_action_at"])


def generate_alone(cycle: BillingCycle, *, real_now: datetime) -> Invoice:
    """The invoice of one cycle that has ended and has none, now. The cycle is locked, with ``vendor``, ``customer`` and
    ``subscription__price_plan`` loaded."""
    cycle.next_action = CycleAction.GENERATE
    cycle.save(update_fields=["next_action"])
    _write([cycle], real_now)
    return Invoice.objects.select_related("vendor", "customer").get(cycle=cycle)


def generate_addition(
    cycle: BillingCycle, lines: Sequence[RatedLine], policies: Mapping[int, BillingPolicy], real_now: datetime
) -> Invoice:
    """An invoice of its own for what was added to a running cycle, which comes with ``vendor``, ``customer`` and
    ``subscription__price_plan`` loaded."""
    policy = policies[cycle.customer_id]
    invoice = _invoice(cycle, Draft(list(lines), closes=False), policy, real_now)
    invoice.adds_to, invoice.policy_snapshot = cycle, policy.snapshot()
    decide_approval([invoice], policies)
    invoice.save(force_insert=True)
    write_lines([(invoice.pk, lines, None)])
    _event(invoice, real_now).save(force_insert=True)
    return invoice


def _generate_chunk(ready: QuerySet[BillingCycle], limit: int, real_now: datetime) -> int:
    with transaction.atomic():
        # The subscription too: what one invoice bills in advance, that of the next cycle has to know.
        locked = ready.select_for_update(skip_locked=True, no_key=True, of=("self", "subscription"))
        cycles = planned_in_peace(locked.select_related("customer", "subscription")[:limit])
        if cycles:
            _load_shared(cycles)
            _write(cycles, real_now)
    return len(cycles)


def _load_shared(cycles: Sequence[BillingCycle]) -> None:
    """Vendors and price plans are the same for many, and loaded once."""
    vendors = Vendor.objects.in_bulk({cycle.vendor_id for cycle in cycles})
    plans = PricePlan.objects.in_bulk({cycle.subscription.price_plan_id for cycle in cycles})
    for cycle in cycles:
        cycle.vendor = vendors[cycle.vendor_id]
        cycle.subscription.price_plan = plans[cycle.subscription.price_plan_id]


def _write(cycles: Sequence[BillingCycle], real_now: datetime) -> None:
    policies = policies_of(cycles)
    snapshots = _snapshots(policies.values())
    drafts = drafted(cycles, policies, lock=True)
    due = [(cycle, drafts[cycle.pk]) for cycle in cycles]
    made = [(cycle, draft) for cycle, draft in due if draft.closes or draft.opens]
    pairs = [(_invoice(cycle, draft, policies[cycle.customer_id], real_now), draft) for cycle, draft in made]
    for invoice, _ in pairs:
        invoice.policy_snapshot = snapshots[id(policies[invoice.customer_id])]
    decide_approval([invoice for invoice, _ in pairs], policies)
    invoices = [invoice for invoice, _ in pairs]
    give_keys(invoices)
    copy_objects(Invoice, invoices)
    credits = _new_credits(made, real_now)
    write_lines((invoice.pk, draft.lines, _own_credit(invoice, credits)) for invoice, draft in pairs)
    Event.objects.copy_in([_event(invoice, real_now) for invoice in invoices])
    _mark(due)


def _snapshots(policies: Iterable[BillingPolicy]) -> dict[int, dict[str, Any]]:
    """By the policy's identity: most customers have the vendor's."""
    return {key: policy.snapshot() for key, policy in {id(policy): policy for policy in policies}.items()}


def _own_credit(invoice: Invoice, credits: Mapping[int, ProrationCredit]) -> int | None:
    own = credits.get(invoice.cycle_id) if invoice.cycle_id else None
    return own.pk if own else None


def _new_credits(made: Sequence[tuple[BillingCycle, Draft]], real_now: datetime) -> dict[int, ProrationCredit]:
    """By cycle: what it leaves of what was billed in advance."""
    rows = {
        cycle.pk: ProrationCredit(
            vendor=cycle.vendor,
            customer_id=cycle.customer_id,
            cycle=cycle,
            amount=line.metadata["unused"],
            created_at=cycle.vendor.now(real_now),
        )
        for cycle, draft in made
        for line in draft.lines
        if "unused" in line.metadata and line.credit_key is None
    }
    ProrationCredit.objects.bulk_create(rows.values())
    return rows


def _mark(due: Sequence[tuple[BillingCycle, Draft]]) -> None:
    """Cycles that have begun go on to their end, those that have ended are done with."""
    done = [cycle.pk for cycle, draft in due if draft.closes]
    begun = [cycle.pk for cycle, draft in due if not draft.closes]
    opened = [draft.opens.pk for _, draft in due if draft.opens]
    rows = BillingCycle.objects.all()
    rows.filter(pk__in=opened).update(opened=True)
    rows.filter(pk__in=begun).update(next_action=CycleAction.END, next_action_at=F("end"), last_error="", failures=0)
    rows.filter(pk__in=done).update(next_action=CycleAction.NONE, next_action_at=None, last_error="", failures=0)


def _invoice(cycle: BillingCycle, draft: Draft, policy: BillingPolicy, real_now: datetime) -> Invoice:
    now, lines = cycle.vendor.now(real_now), draft.lines
    tax = flat_tax(policy, cycle.customer.tax_exempt)
    sums = tax.totals(line.amount for line in lines)
    invoice = Invoice(
        vendor=cycle.vendor,
        customer=cycle.customer,
        subscription=cycle.subscription,
        cycle=cycle if draft.closes else None,
        opens=draft.opens,
        currency=cycle.subscription.price_plan.currency,
        sub_total=sums.sub_total,
        tax_rate=tax.rate,
        tax_inclusive=tax.inclusive,
        tax_amount=sums.tax_amount,
        amount_due=sums.amount_due,
        period_start=cycle.start,
        period_end=cycle.end,
        min_item_start_time=min((line.start for line in lines), default=cycle.start),
        max_item_end_time=max((line.end for line in lines), default=cycle.end),
        generated_at=now,
        issue_date=issue_time(now, policy),
        customer_snapshot=snapshot_of(cycle.customer),
    )
    if policy.invoice_memo:
        invoice.memo = render_memo(policy.invoice_memo, memo_variables(invoice))
    return invoice


def decide_approval(invoices: Sequence[Invoice], policies: Mapping[int, BillingPolicy]) -> None:
    """Which of them a person has to approve; the others are. One query a vendor."""
    bills: dict[int, Bill] = {}
    for vendor in {invoice.vendor for invoice in invoices}:
        bills |= last_bills(vendor, (invoice.customer_id for invoice in invoices if invoice.vendor_id == vendor.pk))
    for invoice in invoices:
        policy = policies[invoice.customer_id]
        invoice.hold_reason = reason_to_hold(invoice, policy, bills.get(invoice.customer_id))
        action, at = first_action(policy, invoice.issue_date, is_held=bool(invoice.hold_reason))
        invoice.next_action, invoice.next_action_at = action, at
        invoice.is_approved = action != InvoiceAction.APPROVE
        invoice.approved_at = invoice.generated_at if invoice.is_approved else None
        bills[invoice.customer_id] = Bill(invoice.sub_total, invoice.currency)


def memo_variables(invoice: Invoice) -> dict[str, str]:
    """The memo's seven variables. Dates are days in the vendor's zone; ends are exclusive, so the last day
    of a cycle that ends at midnight on the 1st is the day before."""
    zone = invoice.vendor.zone

    def first_day(moment: datetime) -> str:
        return f"{moment.astimezone(zone):%Y-%m-%d}"

    def last_day(end: datetime) -> str:
        return first_day(end - timedelta(microseconds=1))

    return {
        "invoice_id": str(invoice.uuid),
        "billing_cycle_start": first_day(invoice.period_start),
        "billing_cycle_end": last_day(invoice.period_end),
        "min_item_start_time": first_day(invoice.min_item_start_time),
        "max_item_end_time": last_day(invoice.max_item_end_time),
        "customer_display_name": invoice.customer.display_name,
        "customer_name": invoice.customer.name,
    }


def _event(invoice: Invoice, real_now: datetime) -> Event:
    details = {"amount_due": invoice.amount_due, "currency": invoice.currency, "note": invoice.approval_reason}
    fact = invoice_fact(invoice, EventKind.INVOICE_GENERATED, details)
    fact = replace(fact, payload={**fact.payload, "approval_reason": invoice.approval_reason})
    return build_event(invoice.vendor, fact, actor=SCHEDULE, now=invoice.generated_at, real_now=real_now)
