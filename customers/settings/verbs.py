"""Saving billing settings: the vendor's, and one customer's override of them.

Only the fields given change. None unsets a field: the vendor's value falls back to the default, an
override's to the vendor's. What is planned already moves with the settings, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from customers import hooks
from customers.actors import Actor
from customers.customer import Customer
from customers.directory import lock_customer
from customers.errors import Missing
from customers.events.models import EventKind, SubjectKind
from customers.events.record import Fact, record
from customers.settings import steady
from customers.settings.models import BillingSettings, BillingSettingsOverride
from customers.settings.parsing import parse
from customers.settings.policy import SETTING_NAMES, BillingPolicy, jsonable, policy_for, vendor_policy
from customers.vendor import Vendor

Row = BillingSettings | BillingSettingsOverride


@dataclass(frozen=True)
class Saved:
    """The settings that apply now, and how many planned steps moved because of them."""

    policy: BillingPolicy
    moved: int


def save_vendor_settings(
    vendor: Vendor, values: Mapping[str, Any], *, actor: Actor, now: datetime, real_now: datetime
) -> Saved:
    """Raises ``Invalid``, naming every field that cannot be."""
    parsed = parse(values)
    with transaction.atomic():
        _lock(vendor)
        row = BillingSettings.objects.of(vendor).first() or BillingSettings(vendor=vendor)
        changes = _assign(row, parsed, real_now)
        fact = Fact(EventKind.SETTINGS_CHANGED, SubjectKind.VENDOR, vendor.pk)
        moved = _after(vendor, None, fact, changes, actor=actor, now=now, real_now=real_now)
    return Saved(vendor_policy(vendor), moved)


def reset_vendor_settings(vendor: Vendor, *, actor: Actor, now: datetime, real_now: datetime) -> Saved:
    """Every field back to its default."""
    unset = dict.fromkeys(SETTING_NAMES)
    return save_vendor_settings(vendor, unset, actor=actor, now=now, real_now=real_now)


def save_override(
    customer: Customer, values: Mapping[str, Any], *, actor: Actor, now: datetime, real_now: datetime
) -> Saved:
    """Raises ``Invalid``, naming every field that cannot be."""
    parsed = parse(values)
    with transaction.atomic():
        vendor = _lock(customer.vendor)
        lock_customer(customer)
        row = BillingSettingsOverride.objects.of(vendor).filter(customer=customer).first()
        changes = _assign(row or BillingSettingsOverride(vendor=vendor, customer=customer), parsed, real_now)
        moved = _after(vendor, customer, _override_fact(customer), changes, actor=actor, now=now, real_now=real_now)
    return Saved(policy_for(customer), moved)


def remove_override(customer: Customer, *, actor: Actor, now: datetime, real_now: datetime) -> Saved:
    """From now on the vendor's settings apply to the customer. Raises ``Missing`` where they do already."""
    with transaction.atomic():
        vendor = _lock(customer.vendor)
        row = BillingSettingsOverride.objects.of(vendor).filter(customer=customer).first()
        if row is None:
            raise Missing(f"{customer.name} has no billing settings of its own.")
        changes = {name: {"before": jsonable(value), "after": None} for name, value in row.values().items()}
        row.delete()
        moved = _after(vendor, customer, _override_fact(customer), changes, actor=actor, now=now, real_now=real_now)
    return Saved(policy_for(customer), moved)


def overridden(customer: Customer) -> list[str]:
    """The fields a customer's override sets, in the order of their declaration."""
    row = BillingSettingsOverride.objects.of(customer.vendor).filter(customer=customer).first()
    return list(row.values()) if row else []


def _lock(vendor: Vendor) -> Vendor:
    """One writer of a vendor's settings at a time, also while there is no row yet. Readers do not wait, but those who
    plan by what they read."""
    Vendor.objects.select_for_update(no_key=True).get(pk=vendor.pk)
    steady.hold_alone(vendor.pk)
    return vendor


def _assign(row: Row, values: Mapping[str, Any], real_now: datetime) -> dict[str, Any]:
    """Write the values; answers before and after of those that differ."""
    before = {name: _stored(getattr(row, name)) for name in values}
    for name, value in values.items():
        setattr(row, name, value)
    row.updated_at = real_now
    row.save()
    after = {name: _stored(value) for name, value in values.items()}
    return {name: {"before": before[name], "after": after[name]} for name in values if before[name] != after[name]}


def _stored(value: Any) -> Any:
    return None if value is None else jsonable(value)


def _override_fact(customer: Customer) -> Fact:
    return Fact(EventKind.OVERRIDE_CHANGED, SubjectKind.CUSTOMER, customer.pk, customer.pk)


def _after(
    vendor: Vendor,
    customer: Customer | None,
    fact: Fact,
    changes: Mapping[str, Any],
    *,
    actor: Actor,
    now: datetime,
    real_now: datetime,
) -> int:
    """Reschedule and tell. Saving what is there already does neither."""
    if not changes:
        return 0
    moved = hooks.policy_changed(vendor, customer, now=now, real_now=real_now)
    details = {"changes": dict(changes), "moved": moved}
    told = Fact(fact.kind, fact.subject_kind, fact.subject_id, fact.customer_id, details=details)
    record(vendor, told, actor=actor, now=now, real_now=real_now)
    return moved
