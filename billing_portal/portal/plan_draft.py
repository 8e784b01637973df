"""A price plan while it is being typed: what stands in its boxes, and what that means to the catalog.

Amounts are typed in the currency's main unit. Boxes are named by their place, ``c0-t1-price``, so that
the form works with any number of components and tiers, and without scripts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Context, Decimal, InvalidOperation
from functools import partial
from typing import Any, TypeVar

from billing_portal.portal import plan_lines
from customers.errors import Invalid
from customers.money import MoneyError, exponent, parse_money
from invoicing.catalog.models import Period, SchemeType, TrialUnit

MOST_COMPONENTS, MOST_TIERS = 50, 50
MOST_ADD_ONS = 50
TEXTS = (
    "name",
    "display_name",
    "description",
    "period",
    "currency",
    "base_price",
    "base_price_description",
    "base_price_frequency",
    "minimum_charge",
    "minimum_charge_frequency",
    "trial_length",
    "trial_unit",
    "trial_credit",
    "tags",
    "features",
    "limits",
)
_FOLDED = (
    "base_price_description",
    "base_price_frequency",
    "minimum_charge",
    "minimum_charge_frequency",
    "trial_length",
    "trial_credit",
    "tags",
    "features",
    "limits",
)
T = TypeVar("T")
_ROOM = Context(prec=60)


@dataclass(frozen=True)
class TierBoxes:
    price: str = ""
    cap: str = ""
    description: str = ""


@dataclass(frozen=True)
class ComponentBoxes:
    meter: str = ""
    display_name: str = ""
    scheme: str = SchemeType.FLAT.value
    batch: str = "1"
    time_unit: str = ""
    price_list: str = ""
    quantity: str = "1000"
    labels: str = ""
    unit_name: str = ""
    minimum: str = ""
    minimum_every: str = ""
    months: str = ""
    change: str = ""
    watermark: str = ""
    limit: str = ""
    label_limits: str = ""
    tiers: Sequence[TierBoxes] = (TierBoxes(),)

    @property
    def is_flat(self) -> bool:
        return self.scheme == SchemeType.FLAT

    @property
    def is_batched(self) -> bool:
        return self.scheme in (SchemeType.FLAT, SchemeType.TIERED)

    @property
    def has_more(self) -> bool:
        """Whether something stands in the boxes that are folded away."""
        most = (self.minimum, self.change, self.watermark, self.limit, self.label_limits, self.unit_name, self.months)
        return any(most)


@dataclass(frozen=True)
class AddOnBoxes:
    name: str = ""
    display_name: str = ""
    description: str = ""
    scheme: str = SchemeType.FLAT.value
    limit: str = ""
    single_use: str = ""
    quantity_enabled: str = ""
    every: str = ""
    in_one: str = ""
    at_once: str = ""
    tiers: Sequence[TierBoxes] = (TierBoxes(),)

    @property
    def is_flat(self) -> bool:
        return self.scheme == SchemeType.FLAT


@dataclass(frozen=True)
class PlanBoxes:
    texts: Mapping[str, str]
    components: Sequence[ComponentBoxes] = field(default=())
    add_ons: Sequence[AddOnBoxes] = field(default=())

    @property
    def currency(self) -> str:
        return self.texts["currency"].strip().upper()

    @property
    def has_more(self) -> bool:
        """Whether something stands in the boxes that are folded away."""
        return any(self.texts[name] not in ("", "1") for name in _FOLDED)


def empty(currency: str) -> PlanBoxes:
    return PlanBoxes({**dict.fromkeys(TEXTS, ""), "currency": currency, "period": Period.MONTH.value})


def read(sent: Mapping[str, Any]) -> PlanBoxes:
    texts = {name: str(sent.get(name, "")).strip() for name in TEXTS}
    components, add_ons = _count(sent, "components", MOST_COMPONENTS), _count(sent, "add_ons", MOST_ADD_ONS)
    return PlanBoxes(
        texts,
        [_component(sent, f"c{place}") for place in range(components)],
        [_add_on(sent, f"a{place}") for place in range(add_ons)],
    )


def _tiers(sent: Mapping[str, Any], at: str) -> list[TierBoxes]:
    count = max(1, _count(sent, f"{at}-tiers", MOST_TIERS))
    names = ("price", "cap", "description")
    return [TierBoxes(*(_text(sent, f"{at}-t{n}-{name}") for name in names)) for n in range(count)]


_PLAIN = ("labels", "unit_name", "minimum", "minimum_every", "months", "change", "watermark", "limit", "label_limits")


def _component(sent: Mapping[str, Any], at: str) -> ComponentBoxes:
    boxes = ComponentBoxes(
        meter=_text(sent, f"{at}-meter"),
        display_name=_text(sent, f"{at}-display_name"),
        scheme=_text(sent, f"{at}-scheme"),
        batch=_text(sent, f"{at}-batch"),
        time_unit=_text(sent, f"{at}-time_unit"),
        price_list=_text(sent, f"{at}-price_list"),
        quantity=_text(sent, f"{at}-quantity"),
        tiers=_tiers(sent, at),
        **{name: _text(sent, f"{at}-{name}") for name in _PLAIN},
    )
    return replace(boxes, tiers=_flattened(boxes.tiers)) if boxes.is_flat else boxes


_OF_ADD_ON = ("single_use", "quantity_enabled", "every", "in_one", "at_once")


def _add_on(sent: Mapping[str, Any], at: str) -> AddOnBoxes:
    names = ("name", "display_name", "description", "limit", *_OF_ADD_ON)
    texts = {name: _text(sent, f"{at}-{name}") for name in names}
    boxes = AddOnBoxes(**texts, scheme=_text(sent, f"{at}-scheme") or SchemeType.FLAT.value, tiers=_tiers(sent, at))
    return replace(boxes, tiers=_flattened(boxes.tiers)) if boxes.is_flat else boxes


def _flattened(tiers: Sequence[TierBoxes]) -> list[TierBoxes]:
    """FLAT has one price for every quantity, whatever other boxes were there before."""
    return [replace(tiers[0], cap="")]


def _text(sent: Mapping[str, Any], name: str) -> str:
    return str(sent.get(name, "")).strip()


def _count(sent: Mapping[str, Any], name: str, most: int) -> int:
    text = _text(sent, name)
    return min(int(text), most) if text.isascii() and text.isdigit() and len(text) < 6 else 0


R = TypeVar("R", ComponentBoxes, AddOnBoxes)


def changed(boxes: PlanBoxes, command: str) -> PlanBoxes:
    """After a button of the form: ``add``, ``drop-1``, ``add-tier-0``, ``drop-tier-0-2``, and the same for add-ons,
    ``addon-add``; others change nothing."""
    name, places = _parse(command)
    if name.startswith("addon-"):
        name = name.removeprefix("addon-")
        return replace(boxes, add_ons=_after(boxes.add_ons, AddOnBoxes(), MOST_ADD_ONS, name, places))
    return replace(boxes, components=_after(boxes.components, ComponentBoxes(), MOST_COMPONENTS, name, places))


def _after(rows: Sequence[R], fresh: R, most: int, name: str, places: Sequence[int]) -> list[R]:
    found = list(rows)
    if name == "add" and len(found) < most:
        found.append(fresh)
    elif name == "drop" and len(places) == 1 and places[0] < len(found):
        del found[places[0]]
    elif name in ("add-tier", "drop-tier") and places and places[0] < len(found):
        row = found[places[0]]
        found[places[0]] = replace(row, tiers=_with_tiers(row.tiers, name, places[1:]))
    return found


def _parse(command: str) -> tuple[str, list[int]]:
    parts = command.split("-")
    places = [int(part) for part in parts if part.isascii() and part.isdigit()]
    return "-".join(part for part in parts if not part.isdigit()), places


def _with_tiers(before: Sequence[TierBoxes], name: str, places: Sequence[int]) -> list[TierBoxes]:
    tiers = list(before)
    if name == "add-tier" and len(tiers) < MOST_TIERS:
        tiers.append(TierBoxes())
    elif places and len(tiers) > 1 and places[0] < len(tiers):
        del tiers[places[0]]
    return tiers


def plan_values(boxes: PlanBoxes) -> dict[str, Any]:
    """As the catalog takes it. Raises ``Invalid`` naming each box that cannot be read."""
    errors: dict[str, str] = {}
    texts = boxes.texts
    values: dict[str, Any] = {name: texts[name] for name in _AS_TYPED}
    values |= {"base_price": 0, "metered_components": [], "add_ons": []}
    values |= {"tags": [tag.strip() for tag in texts["tags"].split(",") if tag.strip()]}
    values["features"] = plan_lines.read_features(texts["features"])
    _collect(errors, lambda: values.update(base_price=_amount(boxes, "base_price")))
    _collect(errors, lambda: values.update(limits=plan_lines.read_limits(texts["limits"])))
    if texts["minimum_charge"]:
        _collect(errors, lambda: values.update(minimum_charge=_amount(boxes, "minimum_charge")))
    _collect(errors, lambda: values.update(base_price_frequency=_whole(texts, "base_price_frequency", 1)))
    if texts["minimum_charge_frequency"]:
        every = partial(_whole, texts, "minimum_charge_frequency", 1)
        _collect(errors, lambda: values.update(minimum_charge_frequency=every()))
    _collect(errors, lambda: values.update(trial=_trial(boxes)))
    for place, component in enumerate(boxes.components):
        found = component_values(component, boxes.currency, f"metered_components.{place}", errors)
        values["metered_components"].append(found)
    for place, add_on in enumerate(boxes.add_ons):
        values["add_ons"].append(_add_on_values(add_on, boxes.currency, f"add_ons.{place}", errors))
    if errors:
        raise Invalid(errors)
    return values


_AS_TYPED = ("name", "display_name", "description", "period", "currency", "base_price_description")


def _trial(boxes: PlanBoxes) -> dict[str, Any]:
    texts = boxes.texts
    return {
        "time_length": _whole(texts, "trial_length", 0),
        "time_unit_name": texts["trial_unit"] or TrialUnit.DAY,
        "credit": _amount(boxes, "trial_credit"),
    }


def _whole(texts: Mapping[str, str], name: str, otherwise: int) -> int:
    number = _number(texts[name] or str(otherwise), name)
    if number != number.to_integral_value() or not 0 <= number < 2**31:
        raise Invalid({name: "Give a whole number."})
    return int(number)


def _collect(errors: dict[str, str], attempt: Callable[[], T]) -> T | None:
    try:
        return attempt()
    except Invalid as refusal:
        errors.update({name: " ".join(problems) for name, problems in refusal.errors.items()})
        return None


def _amount(boxes: PlanBoxes, name: str) -> int:
    try:
        exponent(boxes.currency)
    except MoneyError as error:
        raise Invalid({"currency": str(error)}) from None
    return _money(boxes.texts[name], boxes.currency, name)


def _money(text: str, currency: str, at: str) -> int:
    try:
        return parse_money(text or "0", currency)
    except MoneyError as error:
        raise Invalid({at: str(error)}) from None


def component_values(component: ComponentBoxes, currency: str, at: str, errors: dict[str, str]) -> dict[str, Any]:
    prices = [
        _collect(errors, partial(_tier_values, tier, currency, f"{at}.price_scheme.prices.{n}"))
        for n, tier in enumerate(component.tiers)
        if tier.price or tier.cap or not component.price_list
    ]
    scheme: dict[str, Any] = {"scheme_type": component.scheme, "prices": prices}
    if component.time_unit:
        scheme["time_unit_name"] = component.time_unit
    if component.price_list:
        scheme["price_list"] = component.price_list
    if component.is_batched:
        scheme["batch_size"] = _collect(errors, lambda: _batch(component.batch, f"{at}.price_scheme.batch_size"))
    if component.months:
        months = {"frequency": component.months}
        scheme["frequency"] = _collect(errors, lambda: _at(months, "frequency", f"{at}.price_scheme.frequency"))
    if component.unit_name:
        scheme["unit_name"] = component.unit_name
    if component.change:
        change = f"{at}.price_scheme.post_minimum_charge_percentage_change"
        scheme["post_minimum_charge_percentage_change"] = _collect(errors, lambda: _number(component.change, change))
    return {
        "meter_name": component.meter,
        "display_name": component.display_name,
        "price_scheme": scheme,
        **_least_and_most(component, currency, at, errors),
    }


def _least_and_most(component: ComponentBoxes, currency: str, at: str, errors: dict[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if component.minimum:
        least = partial(_money, component.minimum, currency, f"{at}.minimum_charge")
        values["minimum_charge"] = _collect(errors, least)
    if component.minimum_every:
        every = {"every": component.minimum_every}
        place = f"{at}.minimum_charge_frequency"
        values["minimum_charge_frequency"] = _collect(errors, lambda: _at(every, "every", place))
    for name in ("watermark", "limit"):
        if text := getattr(component, name):
            values[name] = _collect(errors, partial(_number, text, f"{at}.{name}"))
    if component.label_limits:
        rows = partial(plan_lines.read_label_limits, component.label_limits, f"{at}.label_limits")
        values["label_limits"] = _collect(errors, rows)
    return values


def _at(texts: Mapping[str, str], name: str, at: str) -> int:
    """A whole number in a box of a component."""
    try:
        return _whole(texts, name, 1)
    except Invalid as refusal:
        raise Invalid({at: " ".join(refusal.errors[name])}) from None


def _add_on_values(add_on: AddOnBoxes, currency: str, at: str, errors: dict[str, str]) -> dict[str, Any]:
    prices = [
        _collect(errors, partial(_tier_values, tier, currency, f"{at}.prices.{n}"))
        for n, tier in enumerate(add_on.tiers)
    ]
    feature = {"name": add_on.name, "display_name": add_on.display_name, "description": add_on.description}
    limit = _collect(errors, lambda: _number(add_on.limit, f"{at}.limit")) if add_on.limit else None
    every = _collect(errors, lambda: _at({"every": add_on.every}, "every", f"{at}.price_frequency"))
    return {
        "feature": feature,
        "price_scheme_type": add_on.scheme,
        "prices": prices,
        "single_use": bool(add_on.single_use),
        "quantity_enabled": bool(add_on.quantity_enabled),
        "limit": limit,
        "immediately_charge": bool(add_on.at_once),
        "price_frequency": every,
        "charge_frequency": every if add_on.in_one else 1,
    }


def _batch(text: str, at: str) -> int:
    number = _number(text or "1", at)
    if number != number.to_integral_value() or not 1 <= number < 2**31:
        raise Invalid({at: "Give a whole number from 1 on."})
    return int(number)


def _tier_values(tier: TierBoxes, currency: str, at: str) -> dict[str, Any]:
    if not tier.price:
        raise Invalid({f"{at}.price": "Give a price."})
    values: dict[str, Any] = {"price": _minor(_number(tier.price, f"{at}.price"), currency)}
    if tier.cap:
        values["cap"] = _number(tier.cap, f"{at}.cap")
    if tier.description:
        values["description"] = tier.description
    return values


def _minor(price: Decimal, currency: str) -> Decimal:
    try:
        return price.scaleb(exponent(currency), context=_ROOM)
    except MoneyError:
        return price  # The currency's own box says what is wrong.


def _number(text: str, at: str) -> Decimal:
    """1000 or 1,000 or 0.005."""
    try:
        number = Decimal(text.replace(",", ""))
    except InvalidOperation:
        raise Invalid({at: f"{text!r} is not a number: write it like 1,000 or 0.005."}) from None
    if not number.is_finite() or abs(number.adjusted()) > 30:
        raise Invalid({at: f"{text} is out of range."})
    return number


def quantity_of(component: ComponentBoxes, at: str) -> Decimal:
    """What is typed to try the price with. Raises ``Invalid``."""
    number = _number(component.quantity or "0", at)
    if number < 0:
        raise Invalid({at: "Give a quantity from 0 on."})
    return number
