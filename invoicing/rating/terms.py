"""The terms that a billing cycle is rated by: a price plan as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any


class Scheme(StrEnum):
    FLAT = "FLAT"
    TIERED = "TIERED"
    VOLUME = "VOLUME"
    STAIRSTEP = "STAIRSTEP"


class LineKind(StrEnum):
    BASE_PRICE = "BASE_PRICE"
    ADD_ON = "ADD_ON"
    METERED_COMPONENT = "METERED_COMPONENT"
    MINIMUM_CHARGE = "MINIMUM_CHARGE"
    METERED_COMPONENT_MINIMUM_CHARGE = "METERED_COMPONENT_MINIMUM_CHARGE"
    DISCOUNT = "DISCOUNT"
    ADHOC_CHARGE = "ADHOC_CHARGE"
    PRORATION_CREDIT = "PRORATION_CREDIT"


@dataclass(frozen=True, slots=True)
class Tier:
    """``price`` in minor units, may be fractional. ``cap`` is cumulative and inclusive; None has no bound."""

    price: Decimal
    cap: Decimal | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class SchemeTerms:
    kind: Scheme
    tiers: tuple[Tier, ...]
    batch_size: int = 1


@dataclass(frozen=True, slots=True)
class PriceRow:
    """What usage with these labels costs; labels that are not named may have any value."""

    labels: tuple[tuple[str, str], ...]
    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True)
class ComponentTerms:
    """``key`` finds its usage; ``name`` is what the invoice prints. ``minimum_charge`` is for a whole cycle.
    ``aggregation`` is the meter's, for the record. ``time_unit`` is what a level's price is for, and ``watermark`` what
    of the level costs nothing. Under a ``price_list`` the scheme's own tiers, if any, are for what no row fits;
    ``label_keys`` are the meter's primary labels, in the order of a stream's values. ``is_level``: a gauge, which can
    be billed in advance by its level at the start. ``change_after_minimum`` is the percentage by which what is above
    the minimum charge costs more, or less. ``frequency`` billing cycles climb the tiers together; ``minimum_share`` is
    the share that this cycle bears of a minimum charge for several (nothing: another of them bears it).
    """

    key: int
    uuid: str
    meter_id: int
    meter_name: str
    name: str
    unit_name: str
    scheme: SchemeTerms
    minimum_charge: int = 0
    aggregation: str = "SUM"
    time_unit: str = ""
    watermark: Decimal | None = None
    price_list: tuple[PriceRow, ...] = ()
    label_keys: tuple[str, ...] = ()
    is_level: bool = False
    change_after_minimum: Decimal | None = None
    frequency: int = 1
    minimum_frequency: int = 1
    minimum_share: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the time in which the number of an add-on did not change: ``share`` of that which its price is for."""

    quantity: Decimal
    share: Fraction


@dataclass(frozen=True, slots=True)
class AddOnTerms:
    """A fixed item. Of a ``single_use`` one, ``before`` and ``reached`` are the largest numbers that there had been
    before the cycle, and by its end. Its price is for ``price_frequency`` billing cycles. Charged every cycle, each
    bears its part, and ``earlier`` is what those before it in the span had; charged every ``charge_frequency`` of them,
    one bears all of it, and has the stretches of the whole span. ``at_once``: what is added is billed when it is."""

    uuid: str
    name: str
    scheme: SchemeTerms
    single_use: bool = False
    stretches: tuple[Stretch, ...] = ()
    before: Decimal = Decimal(0)
    reached: Decimal = Decimal(0)
    price_frequency: int = 1
    charge_frequency: int = 1
    earlier: tuple[Stretch, ...] = ()
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Addition:
    """More of an add-on from ``since`` on: the number before and after, for ``share`` of what its price is for."""

    add_on: AddOnTerms
    before: Decimal
    after: Decimal
    share: Fraction
    since: datetime


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """``proration`` is the share of the minimum charges, and of the base price, that this cycle bears; ``base_share``
    that of a base price for several cycles (``base_price_frequency``), ``minimum_share`` of a minimum charge for
    several: nothing of it makes no line.
    ``add_ons`` are those of the customer, where the plan ``has_add_ons``."""

    currency: str
    base_price: int
    base_price_name: str
    components: tuple[ComponentTerms, ...] = ()
    proration: Fraction = Fraction(1)
    minimum_charge: int = 0
    label: str = ""
    base_price_frequency: int = 1
    base_share: Fraction | None = None
    add_ons: tuple[AddOnTerms, ...] = ()
    has_add_ons: bool = False
    minimum_frequency: int = 1
    minimum_share: Fraction | None = None


@dataclass(frozen=True, slots=True)
class ChargeTerms:
    """A one-off charge: ``total_price`` in minor units, for all of the quantity."""

    key: int
    uuid: str
    name: str
    description: str
    quantity: Decimal
    total_price: int
    time: datetime


@dataclass(frozen=True, slots=True)
class RatedLine:
    """A line item before it has an invoice. ``amount`` is in minor units, rounded once, here.

    ``quantity`` and ``unit_price`` are given only where their product is the amount. ``charge_key`` is that of
    the ad-hoc charge that the line bills, ``credit_key`` that of the credit that it takes from (none yet: the one
    that its own cycle leaves). ``in_advance``: it bills the next cycle. ``metadata`` says how the amount came about
    and is shown with the line, ``explanation`` holds what would be too much there: the days of its usage, or the
    lines it stands in place of.
    """

    kind: str
    name: str
    description: str
    quantity: Decimal | None
    quantity_unit: str
    unit_price: Decimal | None
    amount: int
    start: datetime
    end: datetime
    metadata: dict[str, Any]
    charge_key: int | None = None
    in_advance: bool = False
    credit_key: int | None = None
    explanation: dict[str, Any] = field(default_factory=dict)
