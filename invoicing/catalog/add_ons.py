"""Add-ons of a price plan: reading what is given, and writing rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from customers.errors import Invalid
from invoicing.catalog.checks import refuse_unsupported
from invoicing.catalog.features import read_feature
from invoicing.catalog.models import AddOn, PricePlan, SchemeType
from invoicing.catalog.prices import TierDraft, read_number, read_tiers

_NOT_YET = {"immediately_charge": "It is billed with its billing cycle."}


@dataclass(frozen=True, slots=True)
class AddOnDraft:
    feature: Mapping[str, str]
    scheme_type: SchemeType
    tiers: tuple[TierDraft, ...]
    single_use: bool = False
    quantity_enabled: bool = False
    limit: Decimal | None = None


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
    refuse_unsupported(values, _NOT_YET, f"{at}.")
    for name in ("price_frequency", "charge_frequency"):
        if values.get(name) not in (None, 1):
            raise Invalid({f"{at}.{name}": "Not supported: add-ons are billed every billing cycle, or once."})
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
    )


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
    kind = SchemeType(add_on.scheme_type)
    return AddOnDraft(feature, kind, tiers, add_on.single_use, add_on.quantity_enabled, add_on.limit)
