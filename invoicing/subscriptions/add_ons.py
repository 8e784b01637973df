"""Add-ons of a subscription: what a customer has of which, and since when."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import transaction

from customers.errors import Invalid
from invoicing.catalog.models import AddOn
from invoicing.rating.rounding import half_up
from invoicing.rating.schemes import amount
from invoicing.rating.terms import Addition, AddOnTerms, Scheme, SchemeTerms, Stretch, Tier
from invoicing.subscriptions.cycles import CycleRule
from invoicing.subscriptions.models import AddOnAction, AddOnChange, BillingCycle, CycleAction, Subscription
from invoicing.subscriptions.rules import cut, cycle_rule, ends_span

_NOTHING = Decimal(0)
_TOO_LARGE = Decimal("1e18")


@dataclass(frozen=True, slots=True)
class AddOnOrder:
    """``quantity`` more of it, or fewer where it is negative."""

    name: str
    quantity: Decimal = Decimal(1)
    price: Decimal | None = None
    effective_at: datetime | None = None


def order_add_ons(
    subscription: Subscription, orders: Sequence[AddOnOrder], *, now: datetime, at: str = ""
) -> list[AddOnChange]:
    """All of them or, with ``Invalid`` naming the one at fault, none."""
    known = {add_on.name: add_on for add_on in subscription.price_plan.add_ons.all()}
    with transaction.atomic():
        Subscription.objects.select_for_update(no_key=True).get(pk=subscription.pk)
        earliest = _earliest(subscription)
        return [_order(subscription, one, known, earliest, now, f"{at}{place}.") for place, one in enumerate(orders)]


def _earliest(subscription: Subscription) -> datetime:
    """The start of the oldest cycle that is not over; what came before it is invoiced, or about to be."""
    running = (CycleAction.OPEN, CycleAction.END)
    first = BillingCycle.objects.filter(subscription=subscription, next_action__in=running).order_by("start").first()
    return first.start if first else subscription.effective_at


def _order(
    subscription: Subscription, order: AddOnOrder, known: dict[str, AddOn], earliest: datetime, now: datetime, at: str
) -> AddOnChange:
    add_on, moment = known.get(order.name), order.effective_at or max(now, subscription.effective_at)
    if add_on is None:
        raise Invalid({f"{at}name": f"The customer's plan has no add-on {order.name!r}."})
    if moment < earliest:
        raise Invalid(
            {f"{at}effective_at": f"Earlier billing cycles have ended: give {earliest.isoformat()} or later."}
        )
    _check_quantity(subscription, add_on, order.quantity, moment, at)
    if order.price is not None and not 0 <= order.price < _TOO_LARGE:
        raise Invalid({f"{at}price": "Give a price in cents (minor units), from 0 on."})
    return AddOnChange.objects.create(
        vendor_id=subscription.vendor_id,
        subscription=subscription,
        add_on=add_on,
        quantity=order.quantity,
        price=order.price,
        effective_at=moment,
        created_at=now,
        **_charged_at_once(add_on, order, moment),
    )


def _charged_at_once(add_on: AddOn, order: AddOnOrder, moment: datetime) -> dict[str, Any]:
    if not add_on.immediately_charge or order.quantity < 0:
        return {}
    return {"next_action": AddOnAction.CHARGE, "next_action_at": moment}


def _check_quantity(subscription: Subscription, add_on: AddOn, quantity: Decimal, moment: datetime, at: str) -> None:
    """Neither now nor by what is planned already may there be fewer than none, or more than the limit."""
    if not quantity or abs(quantity) >= _TOO_LARGE:
        raise Invalid({f"{at}quantity": "Give how many more, or below zero how many fewer."})
    most = add_on.limit if add_on.quantity_enabled else Decimal(1)
    changes = list(AddOnChange.objects.filter(subscription=subscription, add_on=add_on))
    moments = [moment, *(change.effective_at for change in changes if change.effective_at > moment)]
    for when in moments:
        count = quantity + sum(change.quantity for change in changes if change.effective_at <= when)
        if count < 0:
            raise Invalid({f"{at}quantity": f"There are only {count - quantity:f} of {add_on.label!r} to take away."})
        if most is not None and count > most:
            raise Invalid({f"{at}quantity": f"At most {most.normalize():f} of {add_on.label!r} can be had."})


def held_at(subscription: Subscription, moment: datetime) -> dict[int, tuple[Decimal, Decimal | None]]:
    """By id of the add-on: how many, and the price of its own. ``add_on_changes`` may be loaded before."""
    found: dict[int, tuple[Decimal, Decimal | None]] = {}
    for change in subscription.add_on_changes.all():
        if change.effective_at <= moment:
            count, price = found.get(change.add_on_id, (_NOTHING, None))
            found[change.add_on_id] = count + change.quantity, price if change.price is None else change.price
    return {pk: pair for pk, pair in found.items() if pair[0] > 0}


def add_on_prices(subscription: Subscription, moment: datetime) -> dict[str, int]:
    """What those that are held cost in a billing cycle in which they are billed, in minor units, by their uuid."""
    changes = [change for change in subscription.add_on_changes.all() if change.effective_at <= moment]
    known = {add_on.pk: add_on for add_on in subscription.price_plan.add_ons.all()}
    found: dict[str, int] = {}
    for pk, (count, _) in held_at(subscription, moment).items():
        own = [change for change in changes if change.add_on_id == pk]
        price = Fraction(0) if known[pk].single_use else amount(_scheme(known[pk], own), count)
        part = Fraction(known[pk].charge_frequency, known[pk].price_frequency)
        found[str(known[pk].external_uuid)] = half_up(price * part)
    return found


def add_ons_of(cycles: Collection[BillingCycle], *, in_advance: bool = False) -> dict[int, tuple[AddOnTerms, ...]]:
    """By cycle, as they were held; ``in_advance``: as if those of its start were held to its end. One query."""
    by_subscription: dict[int, list[AddOnChange]] = {}
    rows = AddOnChange.objects.filter(subscription__in={cycle.subscription_id for cycle in cycles})
    for change in rows.select_related("add_on").order_by("effective_at", "pk"):
        by_subscription.setdefault(change.subscription_id, []).append(change)
    return {
        cycle.pk: tuple(_terms(cycle, by_subscription.get(cycle.subscription_id, ()), in_advance)) for cycle in cycles
    }


def _terms(cycle: BillingCycle, changes: Sequence[AddOnChange], in_advance: bool) -> Iterable[AddOnTerms]:
    add_ons = {change.add_on_id: change.add_on for change in changes}
    for add_on in sorted(add_ons.values(), key=lambda one: one.position):
        own = [change for change in changes if change.add_on_id == add_on.pk]
        if in_advance:
            own = [change for change in own if change.effective_at <= cycle.start]
        yield _of_cycle(add_on, own, cycle, in_advance=in_advance)


def _bare(add_on: AddOn, changes: Sequence[AddOnChange]) -> AddOnTerms:
    """Without how many there were when."""
    return AddOnTerms(
        str(add_on.external_uuid),
        add_on.label,
        _scheme(add_on, changes),
        add_on.single_use,
        price_frequency=add_on.price_frequency,
        charge_frequency=add_on.charge_frequency,
        at_once=add_on.immediately_charge,
    )


def _of_cycle(
    add_on: AddOn, changes: Sequence[AddOnChange], cycle: BillingCycle, *, in_advance: bool = False
) -> AddOnTerms:
    terms = _bare(add_on, changes)
    if add_on.single_use:
        # What is there from the cycle's very start on is the cycle's.
        before = _most([change for change in changes if change.effective_at < cycle.start])
        return replace(terms, before=before, reached=_most([one for one in changes if one.effective_at < _end(cycle)]))
    rule, every = cycle_rule(cycle.subscription, cycle.vendor.zone), add_on.price_frequency
    if add_on.charge_frequency > 1:
        return replace(terms, stretches=_of_span(changes, cycle, rule, every, in_advance=in_advance))
    own = _of_one(changes, rule, every, cycle.index, cycle.start, cycle.end)
    first = rule.span(cycle.index, every)[0]
    earlier = [
        one for index in range(first, cycle.index) for one in _of_one(changes, rule, every, index, *rule.bounds(index))
    ]
    return replace(terms, stretches=own, earlier=tuple(earlier))


def addition(cycle: BillingCycle, change: AddOnChange) -> Addition | None:
    """What a change adds from its moment to the end of its cycle, or of those that are billed together. None where
    nothing is added: of what is billed once, a number that there was before."""
    rows = AddOnChange.objects.filter(subscription=change.subscription_id, add_on=change.add_on_id)
    so_far = [one for one in rows.order_by("effective_at", "pk") if _place(one) <= _place(change)]
    add_on, rule = change.add_on, cycle_rule(cycle.subscription, cycle.vendor.zone)
    terms = _bare(add_on, so_far)
    if add_on.single_use:
        before, after, share = _most(so_far[:-1]), _most(so_far), Fraction(1)
    else:
        after = sum((one.quantity for one in so_far), _NOTHING)
        before, share = after - change.quantity, _rest(add_on, rule, cycle, change.effective_at)
    return Addition(terms, before, after, share, change.effective_at) if after > before and share else None


def _place(change: AddOnChange) -> tuple[datetime, int]:
    return change.effective_at, change.pk


def _rest(add_on: AddOn, rule: CycleRule, cycle: BillingCycle, since: datetime) -> Fraction:
    """Of what the price is for, the share from a moment on."""
    every = add_on.price_frequency
    if add_on.charge_frequency == 1:
        return rule.proration(cycle.index, since, cycle.end) / every
    end = cut(rule.bounds(rule.span(cycle.index, every)[1])[1], cycle.subscription.expired_at)
    return rule.span_share(cycle.index, every, end) - rule.span_share(cycle.index, every, since)


def _of_one(
    changes: Sequence[AddOnChange], rule: CycleRule, every: int, index: int, start: datetime, end: datetime
) -> tuple[Stretch, ...]:
    """A billing cycle's part of a price for ``every`` cycles."""
    return tuple(
        Stretch(_count(changes, since), rule.proration(index, since, until) / every)
        for since, until in _between(changes, start, end)
    )


def _of_span(
    changes: Sequence[AddOnChange], cycle: BillingCycle, rule: CycleRule, every: int, *, in_advance: bool
) -> tuple[Stretch, ...]:
    """All of the cycles that are billed together, where this one bears it: the last of them, or in advance the
    first. Nothing where another does."""
    first, last = rule.span(cycle.index, every)
    bears = cycle.index == first if in_advance else ends_span(cycle, rule, every)
    if not bears:
        return ()
    begin = cycle.start if in_advance else rule.bounds(first)[0]
    end = cut(rule.bounds(last)[1], cycle.subscription.expired_at) if in_advance else cycle.end

    def elapsed(moment: datetime) -> Fraction:
        return rule.span_share(cycle.index, every, moment)

    return tuple(
        Stretch(_count(changes, since), elapsed(until) - elapsed(since))
        for since, until in _between(changes, begin, end)
    )


def _between(changes: Iterable[AddOnChange], start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """The times in which the number did not change."""
    edges = sorted({start, end, *(one.effective_at for one in changes if start < one.effective_at < end)})
    return list(zip(edges, edges[1:], strict=False))


def _end(cycle: BillingCycle) -> datetime:
    """What is ordered at the very start of a cycle without length is still its own."""
    return max(cycle.end, cycle.start + datetime.resolution)


def _count(changes: Iterable[AddOnChange], moment: datetime) -> Decimal:
    return sum((change.quantity for change in changes if change.effective_at <= moment), _NOTHING)


def _most(changes: Sequence[AddOnChange]) -> Decimal:
    """The largest number that there ever was."""
    return max((_count(changes, change.effective_at) for change in changes), default=_NOTHING)


def _scheme(add_on: AddOn, changes: Sequence[AddOnChange]) -> SchemeTerms:
    own = [change.price for change in changes if change.price is not None]
    if own:
        return SchemeTerms(Scheme.FLAT, (Tier(own[-1]),))
    tiers = tuple(
        Tier(Decimal(kept["price"]), None if kept["cap"] is None else Decimal(kept["cap"]), kept["description"])
        for kept in add_on.prices
    )
    return SchemeTerms(Scheme(add_on.scheme_type), tiers)
