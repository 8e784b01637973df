"""Reading price schemes and metered components as they are given, strictly, into plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from typing import Any

from customers.errors import Invalid
from invoicing.catalog.checks import frequency, minor_units, one_of, refuse_unsupported
from invoicing.catalog.limits import Limits, read_limits
from invoicing.catalog.models import Aggregation, Meter, Period, SchemeType, TimeUnit
from invoicing.catalog.price_lists import read_rows

_NOT_YET_IN_COMPONENT = {"meter_id": "Give 'meter_name'."}
_BATCHED = frozenset({SchemeType.FLAT, SchemeType.TIERED})
_TOGETHER = frozenset({SchemeType.TIERED, SchemeType.STAIRSTEP})
_ADDED_UP = frozenset({Aggregation.SUM, Aggregation.TIME_WEIGHTED_SUM})
_MOST_MONTHS = 120
# What the columns hold: 18 digits before the point and 12 after it.
_TOO_LARGE = Decimal("1e18")
_FINEST = Decimal("1e-12")
_ROOM = Context(prec=40)


@dataclass(frozen=True, slots=True)
class TierDraft:
    price: Decimal
    cap: Decimal | None
    description: str


@dataclass(frozen=True, slots=True)
class RowDraft:
    """A row of a price list. ``labels`` that it does not name may have any value."""

    labels: tuple[tuple[str, str], ...]
    tiers: tuple[TierDraft, ...]


@dataclass(frozen=True, slots=True)
class SchemeDraft:
    """``tiers`` may be empty where there is a price list. ``frequency`` is the months whose usage climbs the tiers
    together; 0: each billing cycle by itself."""

    scheme_type: SchemeType
    tiers: tuple[TierDraft, ...]
    unit_name: str
    batch_size: int
    time_unit: TimeUnit | None = None
    rows: tuple[RowDraft, ...] = ()
    change_after_minimum: Decimal | None = None
    frequency: int = 0


@dataclass(frozen=True, slots=True)
class ComponentDraft:
    meter: Meter
    display_name: str
    scheme: SchemeDraft
    minimum_charge: int | None = None
    watermark: Decimal | None = None
    limits: Limits = Limits()
    minimum_frequency: int = 1


def read_components(given: Sequence[Mapping[str, Any]], meters: Mapping[str, Meter]) -> list[ComponentDraft]:
    """``meters`` are the vendor's, by name. Raises ``Invalid`` naming the component by its place."""
    return [_read_component(values, meters, f"metered_components.{place}.") for place, values in enumerate(given)]


def _read_component(values: Mapping[str, Any], meters: Mapping[str, Meter], at: str) -> ComponentDraft:
    refuse_unsupported(values, _NOT_YET_IN_COMPONENT, at)
    name = values.get("meter_name")
    if not name:
        raise Invalid({f"{at}meter_name": "Give the name of a meter."})
    if name not in meters:
        raise Invalid({f"{at}meter_name": f"There is no meter {name!r}: create it first."})
    meter = meters[name]
    if meter.archived_at:
        raise Invalid({f"{at}meter_name": f"The meter {name!r} is archived: choose another."})
    least = values.get("minimum_charge")
    return ComponentDraft(
        meter=meter,
        display_name=values.get("display_name") or "",
        scheme=_read_scheme(values.get("price_scheme"), meter, least, f"{at}price_scheme"),
        minimum_charge=None if least is None else minor_units(f"{at}minimum_charge", least),
        watermark=_watermark(values.get("watermark"), meter, f"{at}watermark"),
        limits=read_limits(values, meter, at),
        minimum_frequency=frequency(f"{at}minimum_charge_frequency", values.get("minimum_charge_frequency") or 1),
    )


def _watermark(value: Any, meter: Meter, at: str) -> Decimal | None:
    if value is None:
        return None
    if meter.aggregation != Aggregation.TIME_WEIGHTED_SUM:
        raise Invalid({at: f"Only for meters with TIME_WEIGHTED_SUM; that of {meter.name!r} is {meter.aggregation}."})
    return read_number(value, at)


def _read_scheme(values: Mapping[str, Any] | None, meter: Meter, least: int | None, at: str) -> SchemeDraft:
    if not values:
        raise Invalid({at: "Give a price scheme: {'scheme_type': 'FLAT', 'prices': [{'price': 7}]}."})
    kind: SchemeType = one_of(f"{at}.scheme_type", values.get("scheme_type"), SchemeType)
    months = _frequency(values.get("frequency"), meter, kind, f"{at}.frequency")
    rows = _read_price_list(values.get("price_list"), meter, kind, f"{at}.price_list")
    prices = values.get("prices") or []
    return SchemeDraft(
        scheme_type=kind,
        tiers=read_tiers(prices, kind, f"{at}.prices") if prices or not rows else (),
        rows=rows,
        unit_name=values.get("unit_name") or "",
        batch_size=_batch_size(values, kind, f"{at}.batch_size"),
        time_unit=_time_unit(values.get("time_unit_name"), meter, kind, months, f"{at}.time_unit_name"),
        frequency=months,
        change_after_minimum=_change(values, least, f"{at}.post_minimum_charge_percentage_change"),
    )


def _change(values: Mapping[str, Any], least: int | None, at: str) -> Decimal | None:
    value = values.get("post_minimum_charge_percentage_change")
    if not value:
        return None
    if not least:
        raise Invalid({at: "Only for a component with a minimum_charge: it changes the price of what is above that."})
    if not -100 <= value <= 10_000 or value != round(Decimal(str(value)), 4):
        raise Invalid({at: "Give a percentage from -100 to 10,000, with four decimals at most."})
    return Decimal(str(value))


def _frequency(value: int | None, meter: Meter, kind: SchemeType, at: str) -> int:
    """1 is what is usual: each billing cycle by itself."""
    if value in (None, 0, 1):
        return 0
    if kind not in _TOGETHER or meter.aggregation not in _ADDED_UP:
        raise Invalid({at: "Only for TIERED and STAIRSTEP prices of meters with SUM or TIME_WEIGHTED_SUM."})
    if not 1 < value <= _MOST_MONTHS:
        raise Invalid({at: f"Give a number of months, up to {_MOST_MONTHS}: usage of that time climbs the tiers."})
    return value


def check_frequencies(components: Sequence[ComponentDraft], period: Period) -> None:
    """Raises ``Invalid`` where the months of a price scheme are not whole billing cycles."""
    for place, component in enumerate(components):
        if component.scheme.frequency % period.months:
            at = f"metered_components.{place}.price_scheme.frequency"
            raise Invalid({at: f"Give a multiple of {period.months}: the plan's billing cycle is a {period.label}."})


def _time_unit(value: str | None, meter: Meter, kind: SchemeType, months: int, at: str) -> TimeUnit | None:
    """A level held for a time costs its price for each unit of it, except that STAIRSTEP goes by the latest level
    (where cycles climb the steps together, by what they add up to)."""
    by_level = kind is SchemeType.STAIRSTEP and not months
    weighted = meter.aggregation == Aggregation.TIME_WEIGHTED_SUM and not by_level
    if value:
        if not weighted:
            raise Invalid({at: f"Only where usage is weighted by time: leave it out for {meter.name!r}."})
        unit: TimeUnit = one_of(at, value.removesuffix("s"), TimeUnit)
        return unit
    if weighted:
        why = f"The usage of {meter.name!r} is weighted by time: say what the price is for, one of"
        raise Invalid({at: f"{why} {', '.join(TimeUnit.values)}."})
    return None


def _read_price_list(given: Any, meter: Meter, kind: SchemeType, at: str) -> tuple[RowDraft, ...]:
    if not given:
        return ()
    rows = read_rows(given, meter.primary_labels, at)
    return tuple(RowDraft(row.labels, read_tiers(row.prices, kind, f"{row.at}.prices")) for row in rows)


def _batch_size(values: Mapping[str, Any], kind: SchemeType, at: str) -> int:
    size = int(values.get("batch_size") or 1)
    if not 1 <= size < 2**31:
        raise Invalid({at: "Give a whole number from 1 on: the price is for that many units."})
    if size > 1 and kind not in _BATCHED:
        raise Invalid({at: f"Only FLAT and TIERED prices go by batches, not {kind}."})
    return size


def read_tiers(given: Sequence[Mapping[str, Any]], kind: SchemeType, at: str) -> tuple[TierDraft, ...]:
    if not given:
        raise Invalid({at: "Give at least one price: [{'price': 7}] is 7 cents (minor units) a unit."})
    if kind is SchemeType.FLAT and len(given) > 1:
        raise Invalid({at: "FLAT has one price. For several, use TIERED, VOLUME or STAIRSTEP."})
    tiers = tuple(_read_tier(values, f"{at}.{place}") for place, values in enumerate(given))
    if kind is SchemeType.FLAT and tiers[0].cap is not None:
        raise Invalid({f"{at}.0.cap": "FLAT is one price for every quantity: leave the cap out."})
    _check_ladder(tiers, at)
    return tiers


def _read_tier(values: Mapping[str, Any], at: str) -> TierDraft:
    price, cap = values.get("price"), values.get("cap")
    if price is None:
        raise Invalid({f"{at}.price": "Give a price in cents (minor units); it may have decimals."})
    return TierDraft(
        price=read_number(price, f"{at}.price"),
        cap=None if cap is None else read_number(cap, f"{at}.cap"),
        description=values.get("description") or "",
    )


def read_number(value: Any, at: str) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise Invalid({at: f"{value!r} is not a number."}) from None
    if not number.is_finite() or not 0 <= number < _TOO_LARGE:
        raise Invalid({at: f"{value} is out of range: give a number from 0 on, below 10^18."})
    if number != number.quantize(_FINEST, context=_ROOM):
        raise Invalid({at: f"{value} has too many decimals: 12 can be kept."})
    return number


def _check_ladder(tiers: tuple[TierDraft, ...], at: str) -> None:
    floor = Decimal(0)
    for place, tier in enumerate(tiers):
        if tier.cap is None:
            if place < len(tiers) - 1:
                raise Invalid({f"{at}.{place}.cap": "Only the last tier may be without a cap."})
            return
        if tier.cap <= floor:
            raise Invalid({f"{at}.{place}.cap": f"Caps are cumulative and rise: give more than {floor:f}."})
        floor = tier.cap
