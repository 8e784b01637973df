"""Changes to a version of a price plan that all its subscribers have at once: additions and texts, never a price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from customers.errors import Invalid
from invoicing.catalog import features
from invoicing.catalog.add_ons import check_once, read_add_ons, write_add_ons
from invoicing.catalog.models import Period, PricePlan
from invoicing.catalog.plans import components_of, write_components
from invoicing.catalog.prices import check_frequencies

_TEXTS = ("display_name", "description", "base_price_description")


def update_in_place(plan: PricePlan, values: Mapping[str, Any]) -> PricePlan:
    """Texts are replaced; features, limits, metered components and add-ons are added. Raises ``Invalid``."""
    with transaction.atomic():
        plan = _lock(plan)
        for field in _TEXTS:
            if values.get(field) is not None:
                setattr(plan, field, values[field])
        _keep(plan, features.merged(features.of_plan(plan), values))
        plan.save(update_fields=_TEXTS)
        if values.get("metered_components"):
            _add_components(plan, values["metered_components"])
        if values.get("add_ons"):
            drafts = read_add_ons(values["add_ons"])
            present = set(plan.add_ons.values_list("name", flat=True))
            check_once([draft.feature["name"] for draft in drafts], "add_ons", present=present)
            write_add_ons(plan, drafts)
    return plan


def remove_features(plan: PricePlan, names: Sequence[str]) -> PricePlan:
    with transaction.atomic():
        plan = _lock(plan)
        _keep(plan, features.without(features.of_plan(plan), names))
    return plan


def _lock(plan: PricePlan) -> PricePlan:
    locked = PricePlan.objects.of(plan.vendor).select_for_update(no_key=True).get(pk=plan.pk)
    locked.vendor = plan.vendor
    return locked


def _keep(plan: PricePlan, found: features.Features) -> None:
    plan.features, plan.limits = list(found.features), list(found.limits)
    plan.save(update_fields=["features", "limits"])


def _add_components(plan: PricePlan, given: Sequence[Mapping[str, Any]]) -> None:
    drafts = components_of(plan.vendor, given)
    check_frequencies(drafts, Period(plan.period))
    present = set(plan.metered_components.values_list("meter__name", flat=True))
    for place, draft in enumerate(drafts):
        if draft.meter.name in present:
            why = f"The plan has {draft.meter.name!r} already: prices change with a new version of the plan."
            raise Invalid({f"metered_components.{place}.meter_name": why})
        present.add(draft.meter.name)
    write_components(plan, drafts)
