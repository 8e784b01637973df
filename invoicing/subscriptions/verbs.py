"""Starting, changing and ending subscriptions. A customer has one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from django.db import transaction
from django.db.models import F, Q, QuerySet

from customers.actors import Actor
from customers.customer import Customer
from customers.directory import lock_customer
from customers.errors import Conflict, Invalid, Missing
from customers.events.models import EventKind, SubjectKind
from customers.events.record import Fact, record
from customers.settings.policy import policy_for
from invoicing.catalog.features import NO_FEATURES, Features
from invoicing.catalog.models import PricePlan
from invoicing.catalog.trials import Trial
from invoicing.subscriptions.add_ons import AddOnOrder, order_add_ons
from invoicing.subscriptions.changes import begun_with
from invoicing.subscriptions.coupons import apply_coupon
from invoicing.subscriptions.discounts import DiscountDraft, add_discounts
from invoicing.subscriptions.models import BillingCycle, Coupon, CycleAction, Subscription
from invoicing.subscriptions.rules import current_bounds, cut, cycle_rule, planned_cycle
from invoicing.subscriptions.trials import TrialTerms, trial_terms

# Outside these a date is a slip of the keyboard, and its cycles would be thousands.
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_FURTHEST_AHEAD = timedelta(days=36_525)


class When(StrEnum):
    """When a change of plan takes effect."""

    NOW = "now"
    CYCLE_START = "at_cycle_start"
    CYCLE_END = "at_cycle_end"


def subscribe(
    customer: Customer,
    plan: PricePlan,
    *,
    effective_at: datetime | None = None,
    align_to_calendar: bool | None = None,
    discounts: Sequence[DiscountDraft] = (),
    coupon: Coupon | None = None,
    trial: Trial | None = None,
    features: Features = NO_FEATURES,
    add_ons: Sequence[AddOnOrder] = (),
    follows: Subscription | None = None,
    actor: Actor,
    now: datetime,
    real_now: datetime,
) -> Subscription:
    """From ``effective_at`` (now) on. In the past is allowed: the schedule ends its cycles one after the other.

    ``trial`` stands in place of the plan's, ``features`` beside what it has; ``follows`` is the subscription that a
    change of plan has just ended. The first subscription fixes the customer's currency. Raises ``Invalid``, or
    ``Conflict`` on overlap.
    """
    start = effective_at or now
    _check_start(start, now)
    having = TrialTerms() if follows and not trial else trial_terms(plan, trial, start, customer.vendor.zone)
    with transaction.atomic():
        customer = lock_customer(customer)
        _check_plan(plan, customer)
        _check_overlap(customer, start)
        _fix_currency(customer, plan)
        subscription = Subscription.objects.create(
            vendor=customer.vendor, customer=customer, price_plan=plan, effective_at=start, follows=follows,
            align_to_calendar=_alignment(customer, align_to_calendar),
            trial_ends_at=having.ends_at, trial_credit=having.credit, trial_credit_until=having.credit_until,
            features_override=list(features.features), limits_override=list(features.limits), created_at=now,
        )  # fmt: skip
        first = _begin(subscription)
        given = add_discounts(subscription, discounts, from_cycle=first, now=now, at="discounts.")
        added = order_add_ons(subscription, add_ons, now=now, at="add_ons.")
        if coupon:
            apply_coupon(subscription, coupon, now=now)
        note = begun_with(subscription, given, added, coupon)
        _tell(subscription, EventKind.SUBSCRIPTION_NEW, note, actor=actor, now=now, real_now=real_now)
    return subscription


def _begin(subscription: Subscription) -> int:
    """Plans the first cycle; the number of the first that is billed."""
    customer, zone = subscription.customer, subscription.vendor.zone
    first = cycle_rule(subscription, zone).first
    opens = not first and _opens_by_itself(customer, subscription.follows)
    planned_cycle(subscription, zone, 0, opens=opens).save(force_insert=True)
    return first


def _opens_by_itself(customer: Customer, follows: Subscription | None) -> bool:
    """Whether its fixed items are billed in advance, and by an invoice of their own: otherwise that of the subscription
    before, which is still to come, has them."""
    if not policy_for(customer).invoice_fixed_components_at_start:
        return False
    return not BillingCycle.objects.filter(subscription=follows).exclude(next_action=CycleAction.NONE).exists()


def _check_start(start: datetime, now: datetime) -> None:
    if not _EARLIEST <= start <= now + _FURTHEST_AHEAD:
        raise Invalid({"effective_at": f"Give a time from {_EARLIEST:%Y-%m-%d} to a hundred years from now."})


def _check_plan(plan: PricePlan, customer: Customer) -> None:
    if plan.vendor_id != customer.vendor_id or plan.archived_at:
        raise Invalid({"price_plan_name": f"There is no price plan {plan.name!r} to subscribe to."})


def _check_overlap(customer: Customer, start: datetime) -> None:
    others = _lasting(customer).filter(Q(expired_at__isnull=True) | Q(expired_at__gt=start))
    if other := others.order_by("effective_at").first():
        raise Conflict(
            f"{customer.name} has a subscription from {other.effective_at.isoformat()}"
            f" {_until(other)}. End it, or start the new one when it has ended.",
            code="subscription_overlap",
        )


def _until(subscription: Subscription) -> str:
    return f"to {subscription.expired_at.isoformat()}" if subscription.expired_at else "on"


def _lasting(customer: Customer) -> QuerySet[Subscription]:
    """Without those that were called off before they began."""
    rows = Subscription.objects.of(customer.vendor).filter(customer=customer)
    return rows.filter(Q(expired_at__isnull=True) | Q(expired_at__gt=F("effective_at")))


def _fix_currency(customer: Customer, plan: PricePlan) -> None:
    if not customer.currency:
        customer.currency = plan.currency
        customer.save(update_fields=["currency"])
    elif customer.currency != plan.currency:
        raise Invalid(
            {
                "price_plan_name": f"{customer.name} is billed in {customer.currency} and the plan {plan.name!r} is in "
                f"{plan.currency}: choose a plan in {customer.currency}."
            }
        )


def _alignment(customer: Customer, wanted: bool | None) -> bool:
    return policy_for(customer).align_billing_cycles_to_calendar if wanted is None else wanted


def find_active(customer: Customer, now: datetime) -> Subscription:
    running = (
        _lasting(customer).filter(effective_at__lte=now).filter(Q(expired_at__isnull=True) | Q(expired_at__gt=now))
    )
    subscription = running.select_related("price_plan", "customer").first()
    if subscription is None:
        raise Missing(f"{customer.name} has no active subscription.")
    return subscription


def scheduled(customer: Customer, now: datetime) -> QuerySet[Subscription]:
    """Those that are still to start, the next one first."""
    rows = _lasting(customer).filter(effective_at__gt=now)
    return rows.select_related("price_plan", "customer").order_by("effective_at")


def running_or_next(customer: Customer, now: datetime) -> Subscription:
    """What discounts, coupons and add-ons are given to. Raises ``Missing``."""
    try:
        found = find_active(customer, now)
    except Missing:
        coming = scheduled(customer, now).first()
        if coming is None:
            raise
        found = coming
    found.vendor = customer.vendor
    return found


def history(customer: Customer) -> QuerySet[Subscription]:
    """All that began or will, oldest first."""
    return _lasting(customer).select_related("price_plan", "customer").order_by("effective_at")


def end_subscription(
    customer: Customer,
    *,
    at_cycle_end: bool = False,
    expire_at: datetime | None = None,
    actor: Actor,
    now: datetime,
    real_now: datetime,
) -> Subscription:
    """Now, at the end of the running cycle, or at ``expire_at``. Where none runs, the one to come is called off.

    The cycle it ends in is cut there and billed for its share. Raises ``Invalid``, ``Conflict``, ``Missing``.
    """
    if at_cycle_end and expire_at:
        raise Invalid({"expire_at": "Give either 'expire_at' or 'at_cycle_end', not both."})
    with transaction.atomic():
        customer = lock_customer(customer)
        subscription = running_or_next(customer, now)
        subscription.customer = customer
        if subscription.effective_at > now:
            end = subscription.effective_at
        else:
            end = expire_at or (current_bounds(subscription, customer.vendor.zone, now)[1] if at_cycle_end else now)
        _end_at(subscription, end)
        _tell(subscription, EventKind.SUBSCRIPTION_ENDED, actor=actor, now=now, real_now=real_now)
    return subscription


def _end_at(subscription: Subscription, end: datetime) -> None:
    """Sets the end and cuts the open cycle. The subscription's row is locked first, as when cycles end."""
    locked = Subscription.objects.of(subscription.vendor).select_for_update(no_key=True).get(pk=subscription.pk)
    if locked.expired_at and end > locked.expired_at:
        raise Conflict(f"It ends at {locked.expired_at.isoformat()} already and can only be ended earlier.")
    running = (CycleAction.OPEN, CycleAction.END)
    cycle = BillingCycle.objects.filter(subscription=locked, next_action__in=running).first()
    earliest = cycle.start if cycle else locked.expired_at
    if earliest is not None and end < earliest:
        raise Invalid({"expire_at": f"Earlier billing cycles have ended: give a time from {earliest.isoformat()} on."})
    subscription.expired_at = end
    subscription.save(update_fields=["expired_at"])
    if cycle:
        _cut_cycle(cycle, subscription)


def _cut_cycle(cycle: BillingCycle, subscription: Subscription) -> None:
    end = cut(cycle_rule(subscription, subscription.vendor.zone).bounds(cycle.index)[1], subscription.expired_at)
    if end <= cycle.start and not cycle.opened:
        cycle.delete()
        return
    cycle.end = max(end, cycle.start)
    if cycle.next_action == CycleAction.END:
        cycle.next_action_at = cycle.end
    cycle.save(update_fields=["end", "next_action_at"])


def change_plan(
    customer: Customer,
    plan: PricePlan,
    *,
    when: When = When.NOW,
    effective_at: datetime | None = None,
    align_to_calendar: bool | None = None,
    discounts: Sequence[DiscountDraft] = (),
    coupon: Coupon | None = None,
    trial: Trial | None = None,
    features: Features = NO_FEATURES,
    add_ons: Sequence[AddOnOrder] = (),
    actor: Actor,
    now: datetime,
    real_now: datetime,
) -> Subscription:
    """Ends the running subscription and starts one on ``plan`` at the same moment. Answers the new one.

    ``effective_at`` names a moment instead of ``when``. A cycle cut by it is billed for its share, at once. The plan's
    trial is for those who begin, not for those who change.
    Discounts, features and limits belong to a subscription: the new one has those given here.
    """
    with transaction.atomic():
        customer = lock_customer(customer)
        current = find_active(customer, now)
        start, end = current_bounds(current, customer.vendor.zone, now)
        moment = effective_at or {When.NOW: now, When.CYCLE_START: start, When.CYCLE_END: end}[when]
        ended = end_subscription(customer, expire_at=moment, actor=actor, now=now, real_now=real_now)
        return subscribe(
            customer,
            plan,
            effective_at=moment,
            align_to_calendar=current.align_to_calendar if align_to_calendar is None else align_to_calendar,
            discounts=discounts,
            coupon=coupon,
            trial=trial,
            features=features,
            add_ons=add_ons,
            follows=ended,
            actor=actor,
            now=now,
            real_now=real_now,
        )


def _tell(
    subscription: Subscription, kind: EventKind, note: str = "", *, actor: Actor, now: datetime, real_now: datetime
) -> None:
    customer = subscription.customer
    payload = {
        "customer_name": customer.name,
        "subscription_effective_at": subscription.effective_at.isoformat(),
    }
    if subscription.expired_at:
        payload["subscription_expired_at"] = subscription.expired_at.isoformat()
    details = {"note": f"{note}."} if note else {}
    fact = Fact(kind, SubjectKind.SUBSCRIPTION, subscription.pk, customer.pk, payload=payload, details=details)
    record(subscription.vendor, fact, actor=actor, now=now, real_now=real_now)
