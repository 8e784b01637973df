"""Ad-hoc charges: made, called off, and joined to the invoice of their billing cycle."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Q

from customers.actors import Actor
from customers.customer import Customer
from customers.errors import Conflict, Invalid, Missing
from customers.events.models import EventKind, SubjectKind
from customers.events.record import Fact, record
from customers.money import LARGEST_MINOR, format_money
from invoicing.invoices.models import Invoice, LineItem
from invoicing.rating.terms import ChargeTerms
from invoicing.subscriptions.models import AdhocCharge, BillingCycle, CycleAction, Subscription


@dataclass(frozen=True, slots=True)
class ChargeDraft:
    charge_time: datetime
    item_name: str
    quantity: Decimal
    total_price: int
    item_display_name: str = ""
    item_description: str = ""


def add_charge(
    customer: Customer, draft: ChargeDraft, *, actor: Actor, now: datetime, real_now: datetime
) -> AdhocCharge:
    """Raises ``Invalid`` naming the field: its time must fall into a billing cycle that has no invoice yet."""
    _check_amounts(draft)
    with transaction.atomic():
        _check_time(customer, draft.charge_time)
        charge = AdhocCharge.objects.create(
            vendor=customer.vendor,
            customer=customer,
            charge_time=draft.charge_time,
            item_name=draft.item_name,
            item_display_name=draft.item_display_name,
            item_description=draft.item_description,
            quantity=draft.quantity,
            total_price=draft.total_price,
            created_at=now,
        )
        _tell(charge, EventKind.CHARGE_ADDED, actor=actor, now=now, real_now=real_now)
    return charge


def _tell(charge: AdhocCharge, kind: EventKind, *, actor: Actor, now: datetime, real_now: datetime) -> None:
    """For the customer's timeline. Its currency may not be known before the customer has a subscription."""
    customer = charge.customer
    amount = format_money(charge.total_price, customer.currency or customer.vendor.currency)
    at = charge.charge_time.astimezone(customer.vendor.zone)
    note = f"{charge.label}, {amount}, of {at:%Y-%m-%d}."
    payload, details = {"customer_name": customer.name}, {"note": note}
    fact = Fact(kind, SubjectKind.CUSTOMER, customer.pk, customer.pk, payload=payload, details=details)
    record(customer.vendor, fact, actor=actor, now=now, real_now=real_now)


def _check_amounts(draft: ChargeDraft) -> None:
    if not 0 < draft.quantity < Decimal("1e18"):
        raise Invalid({"quantity": "Give a number above 0."})
    if not 0 <= draft.total_price <= LARGEST_MINOR:
        raise Invalid({"total_price": "Give a whole number of cents (minor units) from 0 on."})


def _check_time(customer: Customer, moment: datetime) -> None:
    """Locks the subscription, as billing its cycles does: the invoice either has the charge, or refuses it."""
    subscriptions = Subscription.objects.of(customer.vendor).filter(customer=customer, effective_at__lte=moment)
    lasting = subscriptions.filter(Q(expired_at__isnull=True) | Q(expired_at__gt=moment))
    if not list(lasting.order_by("pk").select_for_update(no_key=True).values_list("pk")):
        raise Invalid({"charge_time": f"{customer.name} has no subscription at that time."})
    invoiced = Invoice.objects.of(customer.vendor).filter(cycle__customer=customer)
    if invoiced.filter(cycle__start__lte=moment, cycle__end__gt=moment).exists():
        raise Invalid({"charge_time": "The billing cycle of that time has its invoice already: give a later time."})


def remove_charge(charge: AdhocCharge, *, actor: Actor, now: datetime, real_now: datetime) -> None:
    """Before it is on an invoice. Raises ``Conflict`` afterwards."""
    with transaction.atomic():
        if not AdhocCharge.objects.of(charge.vendor).select_for_update().filter(pk=charge.pk).exists():
            raise Missing("There is no such charge any more.")
        if is_charged(charge):
            raise Conflict("It is on an invoice already: delete that before it is issued, or void it.")
        _tell(charge, EventKind.CHARGE_REMOVED, actor=actor, now=now, real_now=real_now)
        charge.delete()


def is_charged(charge: AdhocCharge) -> bool:
    return LineItem.objects.filter(adhoc_charge=charge).exists()


def charges_of(cycles: Collection[BillingCycle], *, lock: bool = False) -> dict[int, tuple[ChargeTerms, ...]]:
    """By cycle: the charges that its invoice takes. Two queries at most.

    A charge joins the first cycle without an invoice that ends after it: its own; or, where that came too early
    (the subscription was cut short, an invoice was deleted), the next one, so that it is not lost.
    """
    found: dict[int, list[ChargeTerms]] = {cycle.pk: [] for cycle in cycles}
    customers = {cycle.customer_id for cycle in cycles}
    rows = AdhocCharge.objects.filter(customer__in=customers, line_item__isnull=True).order_by("charge_time", "pk")
    charges = list(rows.select_for_update(of=("self",), no_key=True) if lock else rows)
    waiting = _waiting({charge.customer_id for charge in charges})
    for charge in charges:
        first = next((pk for pk, end in waiting[charge.customer_id] if end > charge.charge_time), None)
        if first in found:
            found[first].append(_terms(charge))
    return {pk: tuple(joined) for pk, joined in found.items()}


_COMING = (CycleAction.OPEN, CycleAction.END, CycleAction.GENERATE)


def _waiting(customers: Collection[int]) -> dict[int, list[tuple[int, datetime]]]:
    """By customer, the cycles that still get an invoice and their ends, oldest first."""
    found: dict[int, list[tuple[int, datetime]]] = {pk: [] for pk in customers}
    if not customers:
        return found
    rows = BillingCycle.objects.filter(customer__in=customers, next_action__in=_COMING)
    for customer, pk, end in rows.order_by("end", "pk").values_list("customer_id", "pk", "end"):
        found[customer].append((pk, end))
    return found


def _terms(charge: AdhocCharge) -> ChargeTerms:
    return ChargeTerms(
        key=charge.pk,
        uuid=str(charge.uuid),
        name=charge.label,
        description=charge.item_description,
        quantity=charge.quantity,
        total_price=charge.total_price,
        time=charge.charge_time,
    )
