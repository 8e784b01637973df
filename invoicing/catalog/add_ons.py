"""Add-ons of a price plan: reading what is given, and writing rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from customers.errors import Invalid
from invoicing.catalog.checks import frequency
from invoicing.catalog.features import read_feature
from invoicing.catalog.models import AddOn, PricePlan, SchemeType
from invoicing.catalog.prices import TierDraft, read_number, read_tiers


@dataclass(frozen=True, slots=True)
class AddOnDraft:
    feature: Mapping[str, str]
    scheme_type: SchemeType
    tiers: tuple[TierDraft, ...]
    single_use: bool = False
    quantity_enabled: bool = False
    limit: Decimal | None = None
    immediately_charge: bool = False
    price_frequency: int = 1
    charge_frequency: int = 1


def read_add_ons(given: Sequence[Mapping[str, Any]], at: str = "add_ons") -> tuple[AddOnDraft, ...]:
    """Raises ``Invalid`` naming the add-on by its place."""
    drafts = tuple(_read(values, f"{at}.{place}") for place, values in enumerate(given))
    check_once([draft.feature["name"] for draft in drafts], at)
    return drafts


def check_once(names: Sequence[str], at: str, *, present: Collection[str] = ()) -> None:
    for place, name in enumerate(names):
        if name in names[:place] or name in present:
            raise Invalid({f"{at}.{place}.feature.name": f"The plan has an add-on {name!r} already."})


def _read(values: Mapping[str, Any], at: str) -> AddOnDraft:
    kind = values.get("price_scheme_type") or SchemeType.FLAT
    if kind not in (SchemeType.FLAT, SchemeType.TIERED):
        raise Invalid({f"{at}.price_scheme_type": f"{kind!r} is not one of FLAT, TIERED."})
    limit = values.get("limit")
    return AddOnDraft(
        feature=read_feature(values.get("feature") or {}, f"{at}.feature"),
        scheme_type=SchemeType(kind),
        tiers=read_tiers(_prices(values, at), SchemeType(kind), f"{at}.prices"),
        single_use=bool(values.get("single_use")),
        quantity_enabled=bool(values.get("quantity_enabled")),
        limit=None if limit is None else read_number(limit, f"{at}.limit"),
        immediately_charge=bool(values.get("immediately_charge")),
        **_frequencies(values, at),
    )


def _frequencies(values: Mapping[str, Any], at: str) -> dict[str, int]:
    """A price for several billing cycles is charged in parts, one in each, or all at once."""
    every = frequency(f"{at}.price_frequency", values.get("price_frequency") or 1)
    charged = frequency(f"{at}.charge_frequency", values.get("charge_frequency") or 1)
    if charged not in (1, every):
        raise Invalid({f"{at}.charge_frequency": f"Give 1 (a part in each billing cycle) or {every} (all at once)."})
    if every > 1 and values.get("single_use"):
        raise Invalid({f"{at}.price_frequency": "What is billed once has no frequency: leave it out."})
    return {"price_frequency": every, "charge_frequency": charged}


def _prices(values: Mapping[str, Any], at: str) -> Sequence[Mapping[str, Any]]:
    """``price`` is the old way to give the one of FLAT."""
    prices: Sequence[Mapping[str, Any]] = values.get("prices") or ()
    if prices and values.get("price") is not None:
        raise Invalid({f"{at}.price": "Give either 'price' or 'prices'."})
    return prices or ([{"price": values["price"]}] if values.get("price") is not None else ())


def write_add_ons(plan: PricePlan, drafts: Sequence[AddOnDraft]) -> None:
    """After those that are there."""
    count = plan.add_ons.count()
    AddOn.objects.bulk_create(
        AddOn(
            price_plan=plan,
            position=place,
            name=draft.feature["name"],
            display_name=draft.feature["display_name"],
            description=draft.feature["description"],
            scheme_type=draft.scheme_type,
            prices=[_tier(tier) for tier in draft.tiers],
            single_use=draft.single_use,
            quantity_enabled=draft.quantity_enabled,
            limit=draft.limit,
            immediately_charge=draft.immediately_charge,
            price_frequency=draft.price_frequency,
            charge_frequency=draft.charge_frequency,
        )
        for place, draft in enumerate(drafts, start=count)
    )


def _tier(tier: TierDraft) -> dict[str, Any]:
    cap = None if tier.cap is None else f"{tier.cap:f}"
    return {"price": f"{tier.price:f}", "cap": cap, "description": tier.description}


def draft_of_add_on(add_on: AddOn) -> AddOnDraft:
    feature = {"name": add_on.name, "display_name": add_on.display_name, "description": add_on.description}
    tiers = tuple(
        TierDraft(Decimal(kept["price"]), None if kept["cap"] is None else Decimal(kept["cap"]), kept["description"])
        for kept in add_on.prices
    )
    return AddOnDraft(
        feature,
        SchemeType(add_on.scheme_type),
        tiers,
        add_on.single_use,
        add_on.quantity_enabled,
        add_on.limit,
        add_on.immediately_charge,
        add_on.price_frequency,
        add_on.charge_frequency,
    )
