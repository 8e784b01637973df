"""What a quantity costs: FLAT, TIERED, VOLUME, STAIRSTEP. Exact fractions of minor units, nothing rounded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from invoicing.rating.terms import Scheme, SchemeTerms, Tier


@dataclass(frozen=True, slots=True)
class Step:
    """One part of the explanation: this much of the quantity, at this tier's price, made this amount.

    The tier begins after ``floor`` and ends with its cap.
    """

    quantity: Decimal
    tier: Tier
    amount: Fraction
    floor: Decimal = Decimal(0)


def amount(scheme: SchemeTerms, quantity: Decimal) -> Fraction:
    """The price of a quantity, in minor units. Nothing used costs nothing."""
    return sum((step.amount for step in steps(scheme, quantity)), Fraction(0))


def steps(scheme: SchemeTerms, quantity: Decimal, before: Decimal = Decimal(0)) -> tuple[Step, ...]:
    """None where nothing was used, or where there is no price for it. ``before`` is what earlier billing cycles have
    used of the same tiers, under TIERED and STAIRSTEP."""
    if quantity <= 0 or not scheme.tiers:
        return ()
    return _further(scheme, quantity, before) if before > 0 else _RULES[scheme.kind](scheme, quantity)


def _further(scheme: SchemeTerms, quantity: Decimal, before: Decimal) -> tuple[Step, ...]:
    if scheme.kind is Scheme.STAIRSTEP:
        [reached], [paid] = _one_total(scheme, before + quantity), _one_total(scheme, before)
        return (replace(reached, quantity=quantity, amount=max(reached.amount - paid.amount, Fraction(0))),)
    found = []
    for step in _each_at_its_tier(scheme, before + quantity):
        part = step.floor + step.quantity - max(before, step.floor)
        if part > 0:
            found.append(
                replace(step, quantity=part, amount=_per_unit(step.tier.price, scheme.batch_size) * Fraction(part))
            )
    return tuple(found)


def _all_at_one_price(scheme: SchemeTerms, quantity: Decimal) -> tuple[Step, ...]:
    tier = containing(scheme.tiers, quantity)
    return (
        Step(quantity, tier, _per_unit(tier.price, scheme.batch_size) * Fraction(quantity), _floor(scheme.tiers, tier)),
    )


def _each_at_its_tier(scheme: SchemeTerms, quantity: Decimal) -> tuple[Step, ...]:
    found = []
    floor = Decimal(0)
    for tier in _open_ended(scheme.tiers):
        top = quantity if tier.cap is None else min(quantity, tier.cap)
        if top > floor:
            part = top - floor
            found.append(Step(part, tier, _per_unit(tier.price, scheme.batch_size) * Fraction(part), floor))
            floor = top
    return tuple(found)


def _one_total(scheme: SchemeTerms, quantity: Decimal) -> tuple[Step, ...]:
    tier = containing(scheme.tiers, quantity)
    return (Step(quantity, tier, Fraction(tier.price), _floor(scheme.tiers, tier)),)


_RULES: dict[Scheme, Callable[[SchemeTerms, Decimal], tuple[Step, ...]]] = {
    Scheme.FLAT: _all_at_one_price,
    Scheme.TIERED: _each_at_its_tier,
    Scheme.VOLUME: _all_at_one_price,
    Scheme.STAIRSTEP: _one_total,
}


def containing(tiers: tuple[Tier, ...], quantity: Decimal) -> Tier:
    """The tier that a quantity falls into; beyond the last cap the last tier goes on."""
    return next((tier for tier in tiers if tier.cap is None or quantity <= tier.cap), tiers[-1])


def _floor(tiers: tuple[Tier, ...], tier: Tier) -> Decimal:
    """The cap of the tier before, which bounds this one from below."""
    place = tiers.index(tier)
    return (tiers[place - 1].cap or Decimal(0)) if place else Decimal(0)


def _open_ended(tiers: tuple[Tier, ...]) -> tuple[Tier, ...]:
    last = tiers[-1]
    return (*tiers[:-1], Tier(last.price, None, last.description))


@lru_cache(maxsize=4096)
def _per_unit(price: Decimal, batch_size: int) -> Fraction:
    """Thousands of customers pay the same price."""
    return Fraction(price) / batch_size
