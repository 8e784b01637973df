"""Before it is issued an invoice can be generated again: usage came late, or a price was wrong.

The old one leaves the books; the timelines remember it. The new one is made of what is true now, waits out the payment
grace period from now on, and takes over the number and the due date that were given already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from customers.actors import SCHEDULE, Actor
from customers.errors import Busy, Conflict
from customers.events.models import EventKind
from customers.money import format_money
from customers.scoping import VendorQuerySet
from customers.settings import steady
from invoicing.invoices.generation import generate_alone
from invoicing.invoices.lifecycle import locked, note_fact, take_back_opening
from invoicing.invoices.models import AttemptState, Invoice, LineItem
from invoicing.invoices.schedule import chosen_due_date
from invoicing.invoices.verbs import InvoiceVerb, check
from invoicing.subscriptions.models import BillingCycle, CycleAction, Subscription

CycleRows = VendorQuerySet[BillingCycle]

MAY_BE_OUT = (AttemptState.SENDING, AttemptState.UNKNOWN)


def regenerate(invoice: Invoice, *, actor: Actor, now: datetime, real_now: datetime) -> Invoice:
    """The new invoice of the same billing cycle."""
    with transaction.atomic():
        steady.hold(invoice.vendor_id)
        invoice = locked(invoice)
        check(invoice, InvoiceVerb.REGENERATE)
        if invoice.issue_attempts.filter(state__in=MAY_BE_OUT).exists():
            raise Busy(f"{invoice} is being sent, or may have been: nobody may change what the customer may have seen.")
        cycle = _cycle(invoice)
        new = _replace(invoice, cycle, actor=actor, now=now, real_now=real_now)
        old = f"{format_money(invoice.amount_due, invoice.currency)}, generated {invoice.generated_at:%Y-%m-%d}"
        details = {"note": f"In place of the one of {old}."}
        note_fact(new, EventKind.INVOICE_REGENERATED, actor=actor, now=now, real_now=real_now, details=details)
    return new


def _cycle(invoice: Invoice) -> BillingCycle:
    subscription = BillingCycle.objects.filter(invoice=invoice).values("subscription")
    Subscription.objects.select_for_update(no_key=True).get(pk__in=subscription)
    rows = BillingCycle.objects.select_for_update(of=("self",), no_key=True)
    cycle = rows.select_related("vendor", "customer", "subscription__price_plan").get(invoice=invoice)
    cycle.customer.vendor = cycle.vendor
    return cycle


def _replace(invoice: Invoice, cycle: BillingCycle, *, actor: Actor, now: datetime, real_now: datetime) -> Invoice:
    details = {"amount_due": invoice.amount_due, "currency": invoice.currency, "note": "Generated again."}
    note_fact(invoice, EventKind.INVOICE_DELETED, actor=actor, now=now, real_now=real_now, details=details)
    take_back_opening(invoice)
    Invoice.objects.get(pk=invoice.pk).delete()
    new = generate_alone(cycle, real_now=real_now)
    new.number, new.chosen_due_date = invoice.number, invoice.chosen_due_date
    new.due_date = chosen_due_date(new, now)
    new.save(update_fields=["number", "chosen_due_date", "due_date"])
    return new


def generate_deleted(cycle: BillingCycle, *, actor: Actor, now: datetime, real_now: datetime) -> Invoice:
    """The invoice of an ended billing cycle whose own was deleted."""
    with transaction.atomic():
        steady.hold(cycle.vendor_id)
        rows = without_invoice(BillingCycle.objects.of(cycle.vendor)).select_for_update(of=("self",), no_key=True)
        found = rows.select_related("vendor", "customer", "subscription__price_plan").filter(pk=cycle.pk).first()
        if found is None:
            raise Conflict("This billing cycle has its invoice, or gets it by itself.")
        new = generate_alone(found, real_now=real_now)
        details = {"note": "In place of one that was deleted."}
        note_fact(new, EventKind.INVOICE_REGENERATED, actor=actor, now=now, real_now=real_now, details=details)
    return new


def without_invoice(cycles: CycleRows) -> CycleRows:
    """Those that have ended and wait for a person, because their invoice was deleted."""
    return cycles.filter(next_action=CycleAction.NONE, ended_at__isnull=False, invoice__isnull=True)


@dataclass(frozen=True, slots=True)
class LineChange:
    """What a line says and what it would say; a quantity or an amount of None: no such line."""

    name: str
    unit: str
    quantity: Decimal | None
    new_quantity: Decimal | None
    amount: int | None
    new_amount: int | None

    @property
    def more(self) -> int:
        return (self.new_amount or 0) - (self.amount or 0)

    @property
    def more_used(self) -> Decimal:
        return (self.new_quantity or Decimal(0)) - (self.quantity or Decimal(0))


@dataclass(frozen=True, slots=True)
class Regeneration:
    """What generating it again would come to."""

    currency: str
    amount_due: int
    new_amount_due: int
    changes: Sequence[LineChange]

    @property
    def more(self) -> int:
        return self.new_amount_due - self.amount_due


class _NotReally(Exception):
    def __init__(self, outcome: Regeneration) -> None:
        self.outcome = outcome


def would_change(invoice: Invoice, *, now: datetime, real_now: datetime) -> Regeneration | None:
    """Done and taken back, so that it cannot differ from what is done. None: nothing would be different.

    Raises ``Refused`` where it would be refused.
    """
    old = _by_name(invoice)
    try:
        with transaction.atomic():
            new = regenerate(invoice, actor=SCHEDULE, now=now, real_now=real_now)
            changes = _changes(old, _by_name(new))
            raise _NotReally(Regeneration(new.currency, invoice.amount_due, new.amount_due, changes))
    except _NotReally as dry:
        outcome = dry.outcome
    return outcome if outcome.changes or outcome.more else None


Named = dict[tuple[str, str, int], LineItem]


def _by_name(invoice: Invoice) -> Named:
    """Lines of the same name are told apart by their order."""
    found: Named = {}
    for line in invoice.line_items.all():
        place = 0
        while (line.kind, line.name, place) in found:
            place += 1
        found[line.kind, line.name, place] = line
    return found


def _changes(old: Named, new: Named) -> list[LineChange]:
    keys = [*new, *(key for key in old if key not in new)]
    pairs = [(old.get(key), new.get(key)) for key in keys]
    return [_change(before, after) for before, after in pairs if _said(before) != _said(after)]


def _said(line: LineItem | None) -> tuple[Decimal | None, int] | None:
    return (line.quantity, line.amount) if line else None


def _change(before: LineItem | None, after: LineItem | None) -> LineChange:
    shown = after or before
    assert shown is not None  # noqa: S101 - a pair has at least one
    return LineChange(
        shown.name,
        shown.quantity_unit,
        before.quantity if before else None,
        after.quantity if after else None,
        before.amount if before else None,
        after.amount if after else None,
    )
