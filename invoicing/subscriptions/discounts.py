"""Discounts of a subscription: given, shortened, and loaded for the cycles they lower."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from customers.customer import Customer
from customers.errors import Conflict, Invalid, Missing
from customers.money import LARGEST_MINOR
from invoicing.catalog.models import AddOn, MeteredComponent
from invoicing.rating.discounts import DiscountScope, DiscountTerms, DiscountType
from invoicing.subscriptions.models import BillingCycle, Discount, Subscription
from invoicing.subscriptions.rules import cycle_rule

_LONGEST = 12_000


@dataclass(frozen=True, slots=True)
class DiscountDraft:
    """``start_offset`` counts cycles: 0 is the one it is given in. ``duration`` None: for good."""

    type: DiscountType
    amount: Decimal
    scope: DiscountScope
    component_uuid: UUID | None = None
    add_on_name: str = ""
    start_offset: int = 0
    duration: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


def add_discounts(
    subscription: Subscription, drafts: Sequence[DiscountDraft], *, from_cycle: int, now: datetime, at: str = ""
) -> list[Discount]:
    """Offsets count from the cycle numbered ``from_cycle``. All of them or, with ``Invalid``, none."""
    rows = [_read(subscription, draft, from_cycle, f"{at}{place}.", now) for place, draft in enumerate(drafts)]
    return Discount.objects.bulk_create(rows)


def _read(subscription: Subscription, draft: DiscountDraft, from_cycle: int, at: str, now: datetime) -> Discount:
    _check_amount(draft, at)
    if not 0 <= draft.start_offset < _LONGEST:
        raise Invalid({f"{at}billing_cycle_start_offset": "Give a number of cycles: 0 is the running one."})
    if draft.duration is not None and not 0 < draft.duration < _LONGEST:
        raise Invalid({f"{at}billing_cycle_duration": "Give a number of cycles from 1 on; left out: for good."})
    first, component = from_cycle + draft.start_offset, _component(subscription, draft, at)
    _check_labels(component, draft.labels, at)
    return Discount(
        vendor_id=subscription.vendor_id,
        subscription=subscription,
        discount_type=draft.type,
        amount=draft.amount,
        scope=draft.scope,
        metered_component=component,
        labels=dict(draft.labels),
        add_on=_add_on(subscription, draft, at),
        first_cycle=first,
        end_cycle=None if draft.duration is None else first + draft.duration,
        created_at=now,
    )


def _check_amount(draft: DiscountDraft, at: str) -> None:
    if draft.type is DiscountType.PERCENT and not 0 < draft.amount <= 100:
        raise Invalid({f"{at}amount": "Give a percentage above 0, up to 100."})
    if draft.type is DiscountType.FLAT and (draft.amount % 1 or not 0 < draft.amount <= LARGEST_MINOR):
        raise Invalid({f"{at}amount": "Give a whole number of cents (minor units) from 1 on."})


def _component(subscription: Subscription, draft: DiscountDraft, at: str) -> MeteredComponent | None:
    if draft.scope is not DiscountScope.METERED_COMPONENT:
        if draft.component_uuid:
            raise Invalid({f"{at}metered_component_uuid": "Only with the scope METERED_COMPONENT."})
        return None
    components = subscription.price_plan.metered_components.select_related("meter", "price_scheme")
    found = components.filter(external_uuid=draft.component_uuid).first() if draft.component_uuid else None
    if found is None:
        raise Invalid({f"{at}metered_component_uuid": "Give the external_uuid of a component of the customer's plan."})
    return found


def _check_labels(component: MeteredComponent | None, labels: Mapping[str, str], at: str) -> None:
    """Only lines of a price list are told apart by labels, and each by all of those that the list goes by."""
    if not labels:
        return
    keys = {key for row in component.price_scheme.price_list for key in row["labels"]} if component else set()
    if not keys:
        why = "Only for a metered component that has a price list: its lines are told apart by their labels."
        raise Invalid({f"{at}labels": why})
    if set(labels) != keys or not all(isinstance(value, str) for value in labels.values()):
        raise Invalid({f"{at}labels": f"Give a text for each label of the price list: {', '.join(sorted(keys))}."})


def _add_on(subscription: Subscription, draft: DiscountDraft, at: str) -> AddOn | None:
    if draft.scope is not DiscountScope.ADD_ON:
        if draft.add_on_name:
            raise Invalid({f"{at}add_on_name": "Only with the scope ADD_ON."})
        return None
    found = subscription.price_plan.add_ons.filter(name=draft.add_on_name).first() if draft.add_on_name else None
    if found is None:
        raise Invalid({f"{at}add_on_name": "Give the name of an add-on of the customer's plan."})
    return found


def current_index(subscription: Subscription, now: datetime) -> int:
    """The number of the running cycle; before the first one, and in a trial, that of the first that is billed."""
    rule = cycle_rule(subscription, subscription.vendor.zone)
    return max(rule.index_at(max(now, subscription.effective_at)), rule.first)


def shorten_discount(customer: Customer, uuid: UUID, *, duration: int = 0, now: datetime) -> Discount:
    """It ends ``duration`` cycles after the start of the running one. One that would then have had no cycle is
    removed. Answers it. Raises ``Missing``, or ``Conflict`` where it would become longer."""
    with transaction.atomic():
        rows = Discount.objects.of(customer.vendor).filter(uuid=uuid, subscription__customer=customer)
        discount = rows.select_for_update(of=("self",)).select_related("subscription__price_plan").first()
        if discount is None:
            raise Missing(f"{customer.name} has no discount {str(uuid)!r}.")
        discount.subscription.vendor = customer.vendor
        end = current_index(discount.subscription, now) + duration
        if discount.end_cycle is not None and end > discount.end_cycle:
            raise Conflict("A discount can only be shortened: it ends before that already.")
        discount.subscription.customer = customer
        if end <= discount.first_cycle:
            discount.delete()
        else:
            discount.end_cycle = end
            discount.save(update_fields=["end_cycle"])
    return discount


def discounts_of(cycles: Collection[BillingCycle]) -> dict[int, tuple[DiscountTerms, ...]]:
    """By cycle, in the order given. One query."""
    rows = Discount.objects.filter(subscription__in={cycle.subscription_id for cycle in cycles})
    by_subscription: dict[int, list[Discount]] = {}
    for discount in rows.select_related("metered_component", "add_on", "coupon_use__coupon").order_by("pk"):
        by_subscription.setdefault(discount.subscription_id, []).append(discount)
    return {cycle.pk: tuple(_terms(by_subscription.get(cycle.subscription_id, ()), cycle.index)) for cycle in cycles}


def discounts_at(subscription: Subscription, now: datetime) -> tuple[DiscountTerms, ...]:
    """Those of the running cycle."""
    rows = subscription.discounts.select_related("metered_component", "add_on", "coupon_use__coupon").order_by("pk")
    return tuple(_terms(rows, current_index(subscription, now)))


def _terms(discounts: Iterable[Discount], index: int) -> Iterable[DiscountTerms]:
    for discount in discounts:
        if discount.first_cycle <= index and (discount.end_cycle is None or index < discount.end_cycle):
            component = discount.metered_component
            yield DiscountTerms(
                uuid=str(discount.uuid),
                type=DiscountType(discount.discount_type),
                amount=discount.amount,
                scope=DiscountScope(discount.scope),
                component_uuid=str(component.external_uuid) if component else "",
                add_on_uuid=str(discount.add_on.external_uuid) if discount.add_on else "",
                coupon=_coupon(discount),
                labels=discount.labels,
            )


def _coupon(discount: Discount) -> str:
    use = getattr(discount, "coupon_use", None)
    return str(use.coupon) if use else ""
