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

from customers.errors import Invalid
from customers.money import MoneyError, exponent, parse_money
from invoicing.catalog.models import Period, SchemeType

MOST_COMPONENTS, MOST_TIERS = 50, 50
TEXTS = ("name", "display_name", "description", "period", "currency", "base_price")
T = TypeVar("T")
_ROOM = Context(prec=60)


@dataclass(frozen=True)
class TierBoxes:
    price: str = ""
    cap: str = ""


@dataclass(frozen=True)
class ComponentBoxes:
    meter: str = ""
    display_name: str = ""
    scheme: str = SchemeType.FLAT.value
    batch: str = "1"
    time_unit: str = ""
    price_list: str = ""
    quantity: str = "1000"
    tiers: Sequence[TierBoxes] = (TierBoxes(),)

    @property
    def is_flat(self) -> bool:
        return self.scheme == SchemeType.FLAT

    @property
    def is_batched(self) -> bool:
        return self.scheme in (SchemeType.FLAT, SchemeType.TIERED)


@dataclass(frozen=True)
class PlanBoxes:
    texts: Mapping[str, str]
    components: Sequence[ComponentBoxes] = field(default=())

    @property
    def currency(self) -> str:
        return self.texts["currency"].strip().upper()


def empty(currency: str) -> PlanBoxes:
    return PlanBoxes({**dict.fromkeys(TEXTS, ""), "currency": currency, "period": Period.MONTH.value})


def read(sent: Mapping[str, Any]) -> PlanBoxes:
    texts = {name: str(sent.get(name, "")).strip() for name in TEXTS}
    count = _count(sent, "components", MOST_COMPONENTS)
    return PlanBoxes(texts, [_component(sent, f"c{place}") for place in range(count)])


def _component(sent: Mapping[str, Any], at: str) -> ComponentBoxes:
    count = max(1, _count(sent, f"{at}-tiers", MOST_TIERS))
    tiers = [TierBoxes(_text(sent, f"{at}-t{n}-price"), _text(sent, f"{at}-t{n}-cap")) for n in range(count)]
    boxes = ComponentBoxes(
        meter=_text(sent, f"{at}-meter"),
        display_name=_text(sent, f"{at}-display_name"),
        scheme=_text(sent, f"{at}-scheme"),
        batch=_text(sent, f"{at}-batch"),
        time_unit=_text(sent, f"{at}-time_unit"),
        price_list=_text(sent, f"{at}-price_list"),
        quantity=_text(sent, f"{at}-quantity"),
        tiers=tiers,
    )
    return _flattened(boxes)


def _flattened(boxes: ComponentBoxes) -> ComponentBoxes:
    """FLAT has one price for every quantity, whatever other boxes were there before."""
    return replace(boxes, tiers=[TierBoxes(boxes.tiers[0].price)]) if boxes.is_flat else boxes


def _text(sent: Mapping[str, Any], name: str) -> str:
    return str(sent.get(name, "")).strip()


def _count(sent: Mapping[str, Any], name: str, most: int) -> int:
    text = _text(sent, name)
    return min(int(text), most) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def changed(boxes: PlanBoxes, command: str) -> PlanBoxes:
    """After a button of the form: ``add``, ``drop-1``, ``add-tier-0``, ``drop-tier-0-2``; others change nothing."""
    name, places = _parse(command)
    components = list(boxes.components)
    if name == "add" and len(components) < MOST_COMPONENTS:
        components.append(ComponentBoxes())
    elif name == "drop" and len(places) == 1 and places[0] < len(components):
        del components[places[0]]
    elif name in ("add-tier", "drop-tier") and places and places[0] < len(components):
        components[places[0]] = _with_tiers(components[places[0]], name, places[1:])
    return replace(boxes, components=components)


def _parse(command: str) -> tuple[str, list[int]]:
    parts = command.split("-")
    places = [int(part) for part in parts if part.isascii() and part.isdigit()]
    return "-".join(part for part in parts if not part.isdigit()), places


def _with_tiers(component: ComponentBoxes, name: str, places: Sequence[int]) -> ComponentBoxes:
    tiers = list(component.tiers)
    if name == "add-tier" and len(tiers) < MOST_TIERS:
        tiers.append(TierBoxes())
    elif places and len(tiers) > 1 and places[0] < len(tiers):
        del tiers[places[0]]
    return replace(component, tiers=tiers)


def plan_values(boxes: PlanBoxes) -> dict[str, Any]:
    """As the catalog takes it. Raises ``Invalid`` naming each box that cannot be read."""
    errors: dict[str, str] = {}
    values: dict[str, Any] = {**boxes.texts, "base_price": 0, "metered_components": []}
    _collect(errors, lambda: values.update(base_price=_base_price(boxes)))
    for place, component in enumerate(boxes.components):
        found = component_values(component, boxes.currency, f"metered_components.{place}", errors)
        values["metered_components"].append(found)
    if errors:
        raise Invalid(errors)
    return values


def _collect(errors: dict[str, str], attempt: Callable[[], T]) -> T | None:
    try:
        return attempt()
    except Invalid as refusal:
        errors.update({name: " ".join(problems) for name, problems in refusal.errors.items()})
        return None


def _base_price(boxes: PlanBoxes) -> int:
    try:
        exponent(boxes.currency)
    except MoneyError as error:
        raise Invalid({"currency": str(error)}) from None
    try:
        return parse_money(boxes.texts["base_price"] or "0", boxes.currency)
    except MoneyError as error:
        raise Invalid({"base_price": str(error)}) from None


def component_values(component: ComponentBoxes, currency: str, at: str, errors: dict[str, str]) -> dict[str, Any]:
    prices = [
        _collect(errors, partial(_tier_values, tier, currency, f"{at}.price_scheme.prices.{n}"))
        for n, tier in enumerate(component.tiers)
    ]
    scheme: dict[str, Any] = {"scheme_type": component.scheme, "prices": prices}
    if component.time_unit:
        scheme["time_unit_name"] = component.time_unit
    if component.price_list:
        scheme["price_list"] = component.price_list
    if component.is_batched:
        scheme["batch_size"] = _collect(errors, lambda: _batch(component.batch, f"{at}.price_scheme.batch_size"))
    return {"meter_name": component.meter, "display_name": component.display_name, "price_scheme": scheme}


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
