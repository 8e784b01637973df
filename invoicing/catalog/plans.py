"""Writing price plans: reading what is given into a draft, and a draft into rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from customers.errors import Invalid
from customers.money import MoneyError, validate_currency
from customers.vendor import Vendor
from invoicing.catalog import features
from invoicing.catalog.add_ons import AddOnDraft, draft_of_add_on, read_add_ons, write_add_ons
from invoicing.catalog.checks import frequency, minor_units, one_of
from invoicing.catalog.features import Features
from invoicing.catalog.limits import limits_of
from invoicing.catalog.models import (
    Meter,
    MeteredComponent,
    Period,
    PricePlan,
    PriceScheme,
    PriceTier,
    SchemeType,
    TimeUnit,
    TrialUnit,
)
from invoicing.catalog.prices import (
    ComponentDraft,
    RowDraft,
    SchemeDraft,
    TierDraft,
    check_frequencies,
    read_components,
)
from invoicing.catalog.trials import Trial, read_trial


@dataclass(frozen=True, slots=True)
class PlanDraft:
    display_name: str = ""
    description: str = ""
    period: Period = Period.MONTH
    currency: str = ""
    base_price: int = 0
    base_price_description: str = ""
    minimum_charge: int | None = None
    minimum_charge_frequency: int = 1
    tags: tuple[str, ...] = ()
    components: tuple[ComponentDraft, ...] = ()
    features: Features = Features()
    base_price_frequency: int = 1
    trial: Trial = Trial(0)
    add_ons: tuple[AddOnDraft, ...] = ()


def read_plan(vendor: Vendor, values: Mapping[str, Any], before: PlanDraft) -> PlanDraft:
    """``before`` with the fields given. Raises ``Invalid`` naming the first field that is wrong."""
    changes = {name: read(values[name]) for name, read in _READERS.items() if values.get(name) is not None}
    if values.get("metered_components") is not None:
        changes["components"] = components_of(vendor, values["metered_components"])
    changes["features"] = features.read(values, before.features)
    if values.get("add_ons") is not None:
        changes["add_ons"] = read_add_ons(values["add_ons"])
    if values.get("trial") is not None:
        changes["trial"] = read_trial("trial", values["trial"])
    draft = replace(before, **changes)
    check_frequencies(draft.components, draft.period)
    return draft


def _currency(value: str) -> str:
    try:
        return validate_currency(value)
    except MoneyError as error:
        raise Invalid({"currency": str(error)}) from error


def _tags(value: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(tag) for tag in value))


_READERS: dict[str, Any] = {
    "display_name": str,
    "description": str,
    "period": lambda value: one_of("period", value, Period),
    "currency": _currency,
    "base_price": partial(minor_units, "base_price"),
    "minimum_charge": partial(minor_units, "minimum_charge"),
    "base_price_description": str,
    "tags": _tags,
    "base_price_frequency": partial(frequency, "base_price_frequency"),
    "minimum_charge_frequency": partial(frequency, "minimum_charge_frequency"),
}


def components_of(vendor: Vendor, given: Sequence[Mapping[str, Any]]) -> tuple[ComponentDraft, ...]:
    names = {values.get("meter_name") for values in given}
    meters = {meter.name: meter for meter in Meter.objects.of(vendor).filter(name__in=names - {None})}
    return tuple(read_components(given, meters))


def draft_of(plan: PricePlan) -> PlanDraft:
    """An existing version, to start the next one from. Tags stay where they are until they are given anew."""
    components = plan.metered_components.select_related("meter", "price_scheme").prefetch_related("price_scheme__tiers")
    return PlanDraft(
        display_name=plan.display_name,
        description=plan.description,
        period=Period(plan.period),
        currency=plan.currency,
        base_price=plan.base_price,
        base_price_description=plan.base_price_description,
        minimum_charge=plan.minimum_charge,
        minimum_charge_frequency=plan.minimum_charge_frequency or 1,
        components=tuple(_component_draft(component) for component in components),
        features=features.of_plan(plan),
        base_price_frequency=plan.base_price_frequency,
        add_ons=tuple(draft_of_add_on(add_on) for add_on in plan.add_ons.all()),
        trial=Trial(plan.trial_length, TrialUnit(plan.trial_unit or TrialUnit.DAY), plan.trial_credit),
    )


def _component_draft(component: MeteredComponent) -> ComponentDraft:
    scheme = component.price_scheme
    tiers = tuple(TierDraft(tier.price, tier.cap, tier.description) for tier in scheme.tiers.all())
    time_unit = TimeUnit(scheme.time_unit_name) if scheme.time_unit_name else None
    rows = tuple(_row_draft(row) for row in scheme.price_list)
    change = scheme.post_minimum_charge_percentage_change
    kind = SchemeType(scheme.scheme_type)
    draft = SchemeDraft(kind, tiers, scheme.unit_name, scheme.batch_size, time_unit, rows, change, scheme.frequency)
    return ComponentDraft(
        component.meter,
        component.display_name,
        draft,
        component.minimum_charge,
        component.watermark,
        limits_of(component),
        component.minimum_charge_frequency or 1,
    )


def _row_draft(row: Mapping[str, Any]) -> RowDraft:
    """As ``_row_json`` wrote it."""
    tiers = tuple(
        TierDraft(Decimal(kept["price"]), None if kept["cap"] is None else Decimal(kept["cap"]), kept["description"])
        for kept in row["prices"]
    )
    return RowDraft(tuple(row["labels"].items()), tiers)


def _row_json(row: RowDraft) -> dict[str, Any]:
    """Exact decimals are kept as text."""
    prices = [
        {
            "price": f"{tier.price:f}",
            "cap": None if tier.cap is None else f"{tier.cap:f}",
            "description": tier.description,
        }
        for tier in row.tiers
    ]
    return {"labels": dict(row.labels), "prices": prices}


def write_plan(vendor: Vendor, name: str, version: int, draft: PlanDraft, *, now: datetime) -> PricePlan:
    plan = PricePlan.objects.create(
        vendor=vendor,
        name=name,
        version=version,
        display_name=draft.display_name,
        description=draft.description,
        period=draft.period,
        currency=draft.currency or vendor.currency,
        base_price=draft.base_price,
        base_price_description=draft.base_price_description,
        base_price_frequency=draft.base_price_frequency,
        trial_length=draft.trial.length,
        trial_unit=draft.trial.unit if draft.trial.length else "",
        trial_credit=draft.trial.credit,
        minimum_charge=draft.minimum_charge,
        minimum_charge_frequency=None if draft.minimum_charge is None else draft.minimum_charge_frequency,
        tags=list(draft.tags),
        features=list(draft.features.features),
        limits=list(draft.features.limits),
        created_at=now,
    )
    write_components(plan, draft.components)
    write_add_ons(plan, draft.add_ons)
    _take_tags(plan)
    return plan


def write_components(plan: PricePlan, drafts: Sequence[ComponentDraft]) -> None:
    """After those that are there."""
    count = plan.metered_components.count()
    components = MeteredComponent.objects.bulk_create(
        MeteredComponent(
            price_plan=plan,
            meter=draft.meter,
            position=place,
            display_name=draft.display_name,
            minimum_charge=draft.minimum_charge,
            minimum_charge_frequency=None if draft.minimum_charge is None else draft.minimum_frequency,
            watermark=draft.watermark,
            limit=draft.limits.overall,
            label_limits=draft.limits.rows(),
        )
        for place, draft in enumerate(drafts, start=count)
    )
    schemes = PriceScheme.objects.bulk_create(
        PriceScheme(
            component=component,
            scheme_type=draft.scheme.scheme_type,
            unit_name=draft.scheme.unit_name,
            time_unit_name=draft.scheme.time_unit or "",
            batch_size=draft.scheme.batch_size,
            frequency=draft.scheme.frequency,
            price_list=[_row_json(row) for row in draft.scheme.rows],
            post_minimum_charge_percentage_change=draft.scheme.change_after_minimum,
        )
        for component, draft in zip(components, drafts, strict=True)
    )
    PriceTier.objects.bulk_create(
        PriceTier(scheme=scheme, position=place, price=tier.price, cap=tier.cap, description=tier.description)
        for scheme, draft in zip(schemes, drafts, strict=True)
        for place, tier in enumerate(draft.scheme.tiers)
    )


def _take_tags(plan: PricePlan) -> None:
    """A tag points at one version: the newest that was given it."""
    others = PricePlan.objects.of(plan.vendor).filter(name=plan.name, tags__overlap=plan.tags).exclude(pk=plan.pk)
    for other in others:
        other.tags = [tag for tag in other.tags if tag not in plan.tags]
        other.save(update_fields=["tags"])
