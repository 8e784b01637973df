"""What can be done to meters and price plans. Every verb is whole or refused: nothing half done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError, Q, QuerySet

from customers.errors import Conflict, Invalid, Missing
from customers.vendor import Vendor
from invoicing.catalog import hooks, labels
from invoicing.catalog.checks import code_name
from invoicing.catalog.generations import meter_kind
from invoicing.catalog.models import Meter, PricePlan
from invoicing.catalog.plans import PlanDraft, draft_of, read_plan, write_plan

# Addresses of the API beside /price_plans/{name}.
RESERVED_PLAN_NAMES = frozenset({"metered_components", "paginate", "self_serve", "update_in_place"})


def find_meter(vendor: Vendor, name: str) -> Meter:
    try:
        return Meter.objects.of(vendor).get(name=name)
    except Meter.DoesNotExist:
        raise Missing(f"There is no meter {name!r}.") from None


def create_meter(vendor: Vendor, values: Mapping[str, Any], *, now: datetime, real_now: datetime) -> Meter:
    """Raises ``Invalid``. Measurements that were waiting for this meter are attributed."""
    name = code_name(values, "meter")
    meter = Meter(
        vendor=vendor,
        name=name,
        display_name=values.get("display_name") or "",
        description=values.get("description") or "",
        unit_name=values.get("unit_name") or "",
        event_name=values.get("event_name") or name,
        primary_labels=_label_keys(values, "primary_labels"),
        expected_labels=_label_keys(values, "expected_labels"),
        event_label_filter=_label_filter(values),
        created_at=now,
        **asdict(meter_kind(values)),
    )
    _check_shared_event(meter)
    with transaction.atomic():
        _insert(meter)
        hooks.meter_created(vendor, real_now=real_now)
    return meter


def _insert(meter: Meter) -> None:
    try:
        with transaction.atomic():
            meter.save(force_insert=True)
    except IntegrityError:
        raise Invalid({"name": f"A meter named {meter.name!r} exists already: choose another name."}) from None


def _label_keys(values: Mapping[str, Any], field: str) -> list[str]:
    keys = [str(key) for key in values.get(field) or []]
    if len(set(keys)) < len(keys) or not all(keys):
        raise Invalid({field: "Give each label once, and none empty."})
    return keys


def _label_filter(values: Mapping[str, Any]) -> dict[str, Any] | None:
    tree = values.get("event_label_filter")
    if tree:
        labels.check(tree)
    return tree or None


def _check_shared_event(meter: Meter) -> None:
    """Meters fed by one event must ask for the same labels, or it could be right for one and wrong for another."""
    for other in Meter.objects.of(meter.vendor).filter(event_name=meter.event_name, archived_at__isnull=True):
        if set(other.primary_labels) != set(meter.primary_labels):
            wanted = ", ".join(other.primary_labels) or "none"
            why = f"The meter {other.name!r} takes the same event: use its labels ({wanted}) here too."
            raise Invalid({"primary_labels": why})


_TEXTS = ("display_name", "description")


def update_meter(vendor: Vendor, name: str, values: Mapping[str, Any]) -> Meter:
    """Only the texts: what a meter measures is fixed, because invoices stand on it. Raises ``Invalid``."""
    meter = find_meter(vendor, name)
    for field, value in values.items():
        if field in _TEXTS:
            setattr(meter, field, value or "")
        elif value is not None and value != getattr(meter, field):
            raise Invalid({field: "What a meter measures cannot be changed: create another meter."})
    meter.save(update_fields=_TEXTS)
    return meter


def delete_meter(vendor: Vendor, name: str) -> None:
    """With its measurements. Raises ``Conflict`` while any version of a price plan names it."""
    meter = find_meter(vendor, name)
    try:
        with transaction.atomic():
            # Before its measurements, as those who write them.
            list(Meter.objects.select_for_update().filter(pk=meter.pk).values_list("pk"))
            meter.delete()
    except ProtectedError:
        raise Conflict(f"The meter {name!r} is part of a price plan: archive it instead.") from None


def archive_meter(vendor: Vendor, name: str, *, now: datetime) -> Meter:
    """It takes no more measurements: what is sent to it waits, and what it has is still billed. Raises ``Conflict``
    while a plan that can be billed uses it."""
    with transaction.atomic():
        meter = find_meter(vendor, name)
        plan = _plans_in_use(vendor, now).filter(metered_components__meter=meter).first()
        if plan:
            raise Conflict(f"The price plan {plan.name!r} (version {plan.version}) uses the meter {name!r}.")
        meter.archived_at = meter.archived_at or now
        meter.save(update_fields=["archived_at"])
    return meter


def unarchive_meter(vendor: Vendor, name: str, *, real_now: datetime) -> Meter:
    """It takes measurements again, and what was sent meanwhile. Raises ``Conflict`` where meters that share its event
    have other labels now."""
    with transaction.atomic():
        meter = find_meter(vendor, name)
        if meter.archived_at:
            try:
                _check_shared_event(meter)
            except Invalid as refusal:
                raise Conflict(" ".join(refusal.errors["primary_labels"])) from refusal
            meter.archived_at = None
            meter.save(update_fields=["archived_at"])
            hooks.meter_created(vendor, real_now=real_now)
    return meter


def _plans_in_use(vendor: Vendor, now: datetime) -> QuerySet[PricePlan]:
    """The newest version of each plan that is not archived, and every version with a subscription that runs."""
    latest = latest_plans(vendor).values("pk")
    return PricePlan.objects.of(vendor).filter(Q(pk__in=latest) | _has_running(now))


def _has_running(now: datetime) -> Q:
    subscribed = Q(subscriptions__isnull=False)
    return subscribed & (Q(subscriptions__expired_at__isnull=True) | Q(subscriptions__expired_at__gt=now))


def latest_plans(vendor: Vendor) -> QuerySet[PricePlan]:
    """The newest version of each plan that is not archived."""
    plans = PricePlan.objects.of(vendor).filter(archived_at__isnull=True)
    newest = plans.order_by("name", "-version").distinct("name").values("pk")
    return plans.filter(pk__in=newest).order_by("name")


def find_plan(vendor: Vendor, name: str, tag: str = "") -> PricePlan:
    """The newest version, or the one that holds the tag."""
    versions = PricePlan.objects.of(vendor).filter(name=name, archived_at__isnull=True).order_by("-version")
    plan = versions.filter(tags__contains=[tag]).first() if tag else versions.first()
    if plan is None:
        raise Missing(f"There is no price plan {name!r}" + (f" with the tag {tag!r}." if tag else "."))
    return plan


def create_price_plan(vendor: Vendor, values: Mapping[str, Any], *, now: datetime) -> PricePlan:
    """Version 1. Raises ``Invalid`` naming the field."""
    name = code_name(values, "price plan", RESERVED_PLAN_NAMES)
    draft = read_plan(vendor, values, PlanDraft())
    try:
        with transaction.atomic():
            return write_plan(vendor, name, 1, draft, now=now)
    except IntegrityError:
        raise Invalid({"name": f"A price plan named {name!r} exists already: choose another name."}) from None


def update_price_plan(vendor: Vendor, name: str, values: Mapping[str, Any], *, now: datetime) -> PricePlan:
    """A new version: what is not given stays. Subscriptions keep the version they have."""
    if values.get("name") not in (None, name):
        raise Invalid({"name": "A plan keeps its name; create another plan instead."})
    with transaction.atomic():
        latest = find_plan(vendor, name)
        # Two changes at once follow each other instead of both becoming the same version.
        PricePlan.objects.select_for_update(no_key=True).get(pk=latest.pk)
        latest = find_plan(vendor, name)
        draft = read_plan(vendor, values, draft_of(latest))
        return write_plan(vendor, name, latest.version + 1, draft, now=now)


def delete_price_plan(vendor: Vendor, name: str, *, now: datetime) -> None:
    """All versions. Where ended subscriptions still stand on one, the plan is archived and only disappears."""
    _refuse_while_running(vendor, name, now)
    versions = PricePlan.objects.of(vendor).filter(name=name)
    try:
        with transaction.atomic():
            # Before what hangs on them.
            list(versions.select_for_update().order_by("pk").values_list("pk"))
            versions.delete()
    except ProtectedError:
        versions.update(archived_at=now)


def archive_price_plan(vendor: Vendor, name: str, *, now: datetime) -> None:
    _refuse_while_running(vendor, name, now)
    PricePlan.objects.of(vendor).filter(name=name, archived_at__isnull=True).update(archived_at=now)


def _refuse_while_running(vendor: Vendor, name: str, now: datetime) -> None:
    find_plan(vendor, name)
    if PricePlan.objects.of(vendor).filter(_has_running(now), name=name).exists():
        raise Conflict(f"Customers are subscribed to the price plan {name!r}: end or change their subscriptions first.")
