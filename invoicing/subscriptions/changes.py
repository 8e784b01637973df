"""What is put on a subscription and taken off it, each with the fact that tells the timeline who did what.

These facts are for people: webhook endpoints are told of the invoices that come of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from customers.actors import Actor
from customers.customer import Customer
from customers.events.models import EventKind, SubjectKind
from customers.events.record import Fact, record
from customers.money import format_money, format_unit_price
from invoicing.rating.wording import grouped, plain
from invoicing.subscriptions import coupons, discounts
from invoicing.subscriptions.add_ons import AddOnOrder, order_add_ons
from invoicing.subscriptions.discounts import DiscountDraft
from invoicing.subscriptions.models import AddOnChange, Coupon, CouponUse, Discount, Subscription

SEPARATOR = "; "


def give_discounts(
    subscription: Subscription,
    drafts: Sequence[DiscountDraft],
    *,
    actor: Actor,
    now: datetime,
    real_now: datetime,
    at: str = "",
) -> list[Discount]:
    """From the running cycle on; all of them or, with ``Invalid``, none."""
    with transaction.atomic():
        first = discounts.current_index(subscription, now)
        given = discounts.add_discounts(subscription, drafts, from_cycle=first, now=now, at=at)
        if given:
            note = SEPARATOR.join(_in_words(one, subscription) for one in given)
            _tell(subscription, EventKind.DISCOUNT_GIVEN, note, actor=actor, now=now, real_now=real_now)
    return given


def end_discount(
    customer: Customer, uuid: UUID, *, duration: int = 0, actor: Actor, now: datetime, real_now: datetime
) -> None:
    """As ``shorten_discount``."""
    with transaction.atomic():
        ended = discounts.shorten_discount(customer, uuid, duration=duration, now=now)
        left = f"for {duration} more billing cycles, the running one included" if duration else "no longer"
        note = f"{_amount(ended, ended.subscription)}: {left if duration != 1 else 'for the running billing cycle'}"
        _tell(ended.subscription, EventKind.DISCOUNT_ENDED, note, actor=actor, now=now, real_now=real_now)


def use_coupon(
    subscription: Subscription, coupon: Coupon, *, actor: Actor, now: datetime, real_now: datetime
) -> CouponUse:
    """As ``apply_coupon``."""
    with transaction.atomic():
        use = coupons.apply_coupon(subscription, coupon, now=now)
        _tell(subscription, EventKind.COUPON_APPLIED, f"{coupon}", actor=actor, now=now, real_now=real_now)
    return use


def change_add_ons(
    subscription: Subscription,
    orders: Sequence[AddOnOrder],
    *,
    actor: Actor,
    now: datetime,
    real_now: datetime,
    at: str = "",
) -> list[AddOnChange]:
    """As ``order_add_ons``."""
    with transaction.atomic():
        changes = order_add_ons(subscription, orders, now=now, at=at)
        if changes:
            note = SEPARATOR.join(_ordered(one, subscription) for one in changes)
            _tell(subscription, EventKind.ADD_ON_CHANGED, note, actor=actor, now=now, real_now=real_now)
    return changes


def begun_with(
    subscription: Subscription, given: Sequence[Discount], added: Sequence[AddOnChange], coupon: Coupon | None
) -> str:
    """What a new subscription begins with, beside its plan; empty where that is all."""
    words = [_ordered(one, subscription) for one in added] + [_in_words(one, subscription) for one in given]
    return SEPARATOR.join([*words, *([f"coupon {coupon}"] if coupon else [])])


def _tell(
    subscription: Subscription, kind: EventKind, note: str, *, actor: Actor, now: datetime, real_now: datetime
) -> None:
    customer = subscription.customer
    fact = Fact(
        kind,
        SubjectKind.SUBSCRIPTION,
        subscription.pk,
        customer.pk,
        payload={"customer_name": customer.name},
        details={"note": f"{note[0].upper()}{note[1:]}."},
    )
    record(subscription.vendor, fact, actor=actor, now=now, real_now=real_now)


def _in_words(discount: Discount, subscription: Subscription) -> str:
    """With its time, in billing cycles of the subscription, which people count from one."""
    since = f"from billing cycle {discount.first_cycle + 1} on"
    if discount.end_cycle is not None:
        number = discount.end_cycle - discount.first_cycle
        since = f"{since}, for {number} billing cycle{'s' if number > 1 else ''}"
    return f"{_amount(discount, subscription)}, {since}"


def _amount(discount: Discount, subscription: Subscription) -> str:
    """10% off API requests (eu), or $20.00 off the invoice total."""
    currency = subscription.price_plan.currency
    is_percent = discount.discount_type == Discount.Type.PERCENT
    much = f"{plain(discount.amount)}%" if is_percent else format_money(int(discount.amount), currency)
    part = discount.metered_component or discount.add_on
    labels = f" ({', '.join(discount.labels.values())})" if discount.labels else ""
    return f"{much} off {part.label if part else f'the {discount.get_scope_display().lower()}'}{labels}"


def _ordered(change: AddOnChange, subscription: Subscription) -> str:
    more = f"{grouped(abs(change.quantity))} {'more' if change.quantity > 0 else 'fewer'} of {change.add_on.label}"
    if change.price is not None:
        more = f"{more} at {format_unit_price(change.price, subscription.price_plan.currency)} each"
    at = change.effective_at.astimezone(subscription.vendor.zone)
    return f"{more} from {at:%Y-%m-%d} on"
