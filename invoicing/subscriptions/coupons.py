"""Coupons: made once, applied to customers within their limits. An applied coupon is a discount of the subscription."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import Count, QuerySet

from customers.actors import Actor
from customers.errors import Conflict, Invalid, Missing
from customers.events.models import EventKind, SubjectKind
from customers.events.record import Fact, record
from customers.money import LARGEST_MINOR
from customers.vendor import Vendor
from invoicing.catalog.checks import code_name
from invoicing.rating.discounts import DiscountScope, DiscountType
from invoicing.subscriptions.cycles import add_months
from invoicing.subscriptions.discounts import DiscountDraft, add_discounts, current_index
from invoicing.subscriptions.models import Coupon, CouponUse, Subscription
from invoicing.subscriptions.rules import cycle_rule

RESERVED_NAMES = frozenset({"apply_coupon"})
_LONGEST = 1_200


@dataclass(frozen=True, slots=True)
class CouponDraft:
    """``amount`` is in minor units, or percent; ``duration`` in ``unit`` s, for those that recur."""

    name: str
    frequency: Coupon.Frequency
    type: DiscountType
    amount: Decimal
    display_name: str = ""
    code: str = ""
    max_uses: int | None = None
    expires_at: datetime | None = None
    duration: int | None = None
    unit: Coupon.Unit | None = None
    excluded_customers: Sequence[str] = ()
    excluded_plans: Sequence[str] = ()


def create_coupon(vendor: Vendor, draft: CouponDraft, *, actor: Actor, now: datetime, real_now: datetime) -> Coupon:
    """Raises ``Invalid`` naming the field."""
    name = code_name({"name": draft.name}, "coupon", RESERVED_NAMES)
    _check_amount(draft)
    _check_duration(draft)
    coupon = Coupon(
        vendor=vendor,
        name=name,
        display_name=draft.display_name,
        code=draft.code,
        frequency=draft.frequency,
        discount_type=draft.type,
        amount=draft.amount,
        max_uses=draft.max_uses,
        expires_at=draft.expires_at,
        duration_length=draft.duration,
        duration_unit=draft.unit or "",
        excluded_customers=list(dict.fromkeys(draft.excluded_customers)),
        excluded_price_plans=list(dict.fromkeys(draft.excluded_plans)),
        created_at=now,
    )
    with transaction.atomic():
        _insert(coupon)
        _tell(coupon, EventKind.COUPON_NEW, actor=actor, now=now, real_now=real_now)
    return coupon


def _tell(coupon: Coupon, kind: EventKind, *, actor: Actor, now: datetime, real_now: datetime) -> None:
    fact = Fact(kind, SubjectKind.VENDOR, coupon.vendor_id, details={"note": f"{coupon} ({coupon.name})."})
    record(coupon.vendor, fact, actor=actor, now=now, real_now=real_now)


def _check_amount(draft: CouponDraft) -> None:
    if draft.type is DiscountType.PERCENT and not 0 < draft.amount <= 100:
        raise Invalid({"discount_amount": "Give a percentage above 0, up to 100."})
    if draft.type is DiscountType.FLAT and (draft.amount % 1 or not 0 < draft.amount <= LARGEST_MINOR):
        raise Invalid({"discount_amount": "Give a whole number of cents (minor units) from 1 on."})
    if draft.max_uses is not None and not 0 < draft.max_uses < 2**31:
        raise Invalid({"max_uses": "Give the number of customers that may use it, from 1 on; left out: any number."})


def _check_duration(draft: CouponDraft) -> None:
    if draft.frequency is Coupon.Frequency.ONCE:
        if draft.duration or draft.unit:
            raise Invalid({"duration_length": "ONCE lowers one invoice: leave the duration out, or make it RECURRING."})
        return
    if not draft.duration or not 0 < draft.duration <= _LONGEST or not draft.unit:
        raise Invalid({"duration_length": f"RECURRING needs a duration_unit, and a length from 1 to {_LONGEST:,}."})


def _insert(coupon: Coupon) -> None:
    try:
        with transaction.atomic():
            coupon.save(force_insert=True)
    except IntegrityError:
        field = "code" if coupons(coupon.vendor).filter(code=coupon.code).exclude(code="").exists() else "name"
        raise Invalid({field: "Another coupon has it already: choose another."}) from None


def coupons(vendor: Vendor) -> QuerySet[Coupon]:
    """Those that can be applied, with the number of customers that have used each."""
    return Coupon.objects.of(vendor).filter(withdrawn_at__isnull=True).annotate(used=Count("uses")).order_by("name")


def find_coupon(vendor: Vendor, *, name: str = "", code: str = "") -> Coupon:
    """Raises ``Missing``."""
    found = coupons(vendor).filter(**({"name": name} if name else {"code": code})).first()
    if found is None or not (name or code):
        raise Missing(f"There is no coupon {name or code!r}.")
    return found


def withdraw_coupon(coupon: Coupon, *, actor: Actor, now: datetime, real_now: datetime) -> None:
    """Nobody can use it any more, and its name is free again. What it lowers already goes on being lowered."""
    with transaction.atomic():
        coupon.withdrawn_at = now
        coupon.save(update_fields=["withdrawn_at"])
        _tell(coupon, EventKind.COUPON_WITHDRAWN, actor=actor, now=now, real_now=real_now)


def apply_coupon(subscription: Subscription, coupon: Coupon, *, now: datetime) -> CouponUse:
    """From the running cycle on (the first one of a subscription that is still to start).

    Once for a customer. Raises ``Conflict`` where a limit of the coupon forbids it. ``subscription`` comes with
    ``price_plan``, ``customer`` and ``vendor`` loaded.
    """
    with transaction.atomic():
        # The last use that is left goes to one customer only.
        locked = Coupon.objects.of(coupon.vendor).select_for_update(no_key=True).get(pk=coupon.pk)
        _check_limits(locked, subscription, now)
        first = current_index(subscription, now)
        draft = DiscountDraft(
            type=DiscountType(locked.discount_type),
            amount=locked.amount,
            scope=DiscountScope.INVOICE_TOTAL,
            duration=_cycles(locked, subscription, first, now),
        )
        [discount] = add_discounts(subscription, [draft], from_cycle=first, now=now)
        return CouponUse.objects.create(
            coupon=locked, customer=subscription.customer, discount=discount, applied_at=now
        )


def _check_limits(coupon: Coupon, subscription: Subscription, now: datetime) -> None:
    customer, plan = subscription.customer, subscription.price_plan
    refusals = {
        "It has been withdrawn.": coupon.withdrawn_at is not None,
        "It has expired.": coupon.expires_at is not None and now >= coupon.expires_at,
        f"It is not for {customer.name}.": customer.name in coupon.excluded_customers,
        f"It is not for the price plan {plan.name!r}.": plan.name in coupon.excluded_price_plans,
        f"{customer.name} has used it already.": coupon.uses.filter(customer=customer).exists(),
        "It has been used as often as it may be.": coupon.max_uses is not None
        and coupon.uses.count() >= coupon.max_uses,
        f"It is an amount in {coupon.vendor.currency}, and {customer.name} is billed in {plan.currency}.": (
            coupon.discount_type == DiscountType.FLAT and plan.currency != coupon.vendor.currency
        ),
    }
    for reason, applies in refusals.items():
        if applies:
            raise Conflict(f"The coupon {coupon.name!r} cannot be applied: {reason}", code="coupon")


def _cycles(coupon: Coupon, subscription: Subscription, first: int, now: datetime) -> int:
    """How many cycles, the running one included, begin before its duration is over."""
    if coupon.frequency == Coupon.Frequency.ONCE:
        return 1
    zone = subscription.vendor.zone
    start = max(now, subscription.effective_at)
    end = _after(start.astimezone(zone), coupon.duration_length or 0, Coupon.Unit(coupon.duration_unit))
    return cycle_rule(subscription, zone).index_at(end - datetime.resolution) - first + 1


def _after(start: datetime, length: int, unit: Coupon.Unit) -> datetime:
    if unit in (Coupon.Unit.MONTH, Coupon.Unit.YEAR):
        return add_months(start, length * (12 if unit is Coupon.Unit.YEAR else 1))
    hours = {Coupon.Unit.HOUR: 1, Coupon.Unit.DAY: 24, Coupon.Unit.WEEK: 24 * 7}[unit]
    return start + timedelta(hours=length * hours)
