"""A price plan that exists, as it would have been typed: where its next version, or a copy of it, begins."""

from __future__ import annotations

from decimal import Decimal

from billing_portal.portal import plan_lines
from billing_portal.portal.plan_draft import AddOnBoxes, ComponentBoxes, PlanBoxes, TierBoxes
from customers.money import to_major
from invoicing.catalog.models import AddOn, MeteredComponent, PricePlan, TrialUnit


def boxes_of(plan: PricePlan) -> PlanBoxes:
    """Without its tags: they move to another version only where they are given anew."""
    components = plan.metered_components.select_related("meter", "price_scheme")
    return PlanBoxes(
        {
            "name": plan.name,
            "display_name": plan.display_name,
            "description": plan.description,
            "period": plan.period,
            "currency": plan.currency,
            "base_price": _money(plan.base_price, plan.currency),
            "base_price_description": plan.base_price_description,
            "base_price_frequency": str(plan.base_price_frequency),
            "minimum_charge": _money(plan.minimum_charge, plan.currency),
            "minimum_charge_frequency": str(plan.minimum_charge_frequency or ""),
            "trial_length": str(plan.trial_length or ""),
            "trial_credit": _money(plan.trial_credit or None, plan.currency),
            "trial_unit": plan.trial_unit or TrialUnit.DAY.value,
            "tags": "",
            "features": plan_lines.write_features(plan.features),
            "limits": plan_lines.write_limits(plan.limits),
        },
        [_component(one, plan.currency) for one in components.prefetch_related("price_scheme__tiers")],
        [_add_on(one, plan.currency) for one in plan.add_ons.all()],
    )


def _component(component: MeteredComponent, currency: str) -> ComponentBoxes:
    scheme, meter = component.price_scheme, component.meter
    tiers = [_tier(tier.price, tier.cap, tier.description, currency) for tier in scheme.tiers.all()]
    return ComponentBoxes(
        meter=meter.name,
        display_name=component.display_name,
        scheme=scheme.scheme_type,
        batch=str(scheme.batch_size),
        time_unit=scheme.time_unit_name,
        price_list=plan_lines.write_price_list(scheme.price_list, meter.primary_labels),
        unit_name=scheme.unit_name,
        minimum=_money(component.minimum_charge, currency),
        minimum_every=str(component.minimum_charge_frequency or ""),
        months=str(scheme.frequency or ""),
        change=_plain(scheme.post_minimum_charge_percentage_change),
        watermark=_plain(component.watermark),
        limit=_plain(component.limit),
        label_limits=plan_lines.write_label_limits(component.label_limits),
        tiers=tiers or [TierBoxes()],
    )


def _add_on(add_on: AddOn, currency: str) -> AddOnBoxes:
    tiers = [
        _tier(
            Decimal(kept["price"]), None if kept["cap"] is None else Decimal(kept["cap"]), kept["description"], currency
        )
        for kept in add_on.prices
    ]
    return AddOnBoxes(
        name=add_on.name,
        display_name=add_on.display_name,
        description=add_on.description,
        scheme=add_on.scheme_type,
        limit=_plain(add_on.limit),
        single_use="on" if add_on.single_use else "",
        quantity_enabled="on" if add_on.quantity_enabled else "",
        every=str(add_on.price_frequency),
        in_one="on" if add_on.charge_frequency > 1 else "",
        at_once="on" if add_on.immediately_charge else "",
        tiers=tiers,
    )


def _tier(price: Decimal, cap: Decimal | None, description: str, currency: str) -> TierBoxes:
    return TierBoxes(_plain(to_major(price, currency)), _plain(cap), description)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _money(minor: int | None, currency: str) -> str:
    return "" if minor is None else f"{to_major(minor, currency):f}"


def _plain(number: Decimal | None) -> str:
    """Without zeros at its end."""
    return "" if number is None else f"{number.normalize():f}"
