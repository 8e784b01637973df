"""The vendor's customers: create, change, delete, and what hangs on them. One event for each change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction

from customers import hooks
from customers.actors import Actor
from customers.customer import Customer, CustomerMetadata, MeasurementMapping, TaxExempt
from customers.errors import Conflict, Invalid, Missing
from customers.events.models import EventKind, SubjectKind
from customers.events.record import Fact, record
from customers.vendor import Vendor

# Matches any value: a mapping without a pattern asks only that the label is there.
ANY_VALUE = ".*"


@dataclass(frozen=True)
class Rule:
    """A measurement mapping to be: attributes measurements whose ``label`` has a matching value."""

    label: str
    value_regex: str = ANY_VALUE


@dataclass(frozen=True)
class NewCustomer:
    """``contact`` holds fields of ``ContactFields``; ``metadata`` maps property to value."""

    name: str
    display_name: str = ""
    contact: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = ()
    mappings: Sequence[Rule] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    created_at: datetime | None = None
    tax_exempt: str = TaxExempt.NONE
    review_reason: str = ""


def create_customer(vendor: Vendor, new: NewCustomer, *, actor: Actor, now: datetime, real_now: datetime) -> Customer:
    """Raises ``Invalid``. Without a display name, the name is shown."""
    customer = Customer(
        vendor=vendor,
        name=new.name,
        display_name=new.display_name or new.name,
        tags=_unique(new.tags),
        created_at=new.created_at or now,
        tax_exempt=new.tax_exempt,
        review_reason=new.review_reason,
        **new.contact,
    )
    check(customer)
    with transaction.atomic():
        _save(customer, force_insert=True)
        _replace_mappings(customer, new.mappings)
        _write_metadata(customer, new.metadata)
        _tell(customer, EventKind.CUSTOMER_NEW, {}, actor=actor, now=now, real_now=real_now)
        hooks.attribution_changed(vendor, real_now=real_now)
    return customer


def update_customer(
    customer: Customer,
    changes: Mapping[str, Any],
    *,
    mappings: Sequence[Rule] | None = None,
    actor: Actor,
    now: datetime,
    real_now: datetime,
) -> Customer:
    """Only the fields in ``changes`` change; ``mappings`` replaces them all. Raises ``Invalid``."""
    with transaction.atomic():
        customer = lock_customer(customer)
        before = {name: getattr(customer, name) for name in changes}
        for name, value in changes.items():
            setattr(customer, name, _unique(value) if name == "tags" else value)
        customer.display_name = customer.display_name or customer.name
        check(customer)
        _save(customer)
        details = _differences(customer, before)
        if mappings is not None and (was := _replace_mappings(customer, mappings)) is not None:
            details["measurement_mappings"] = was
        if details:
            _tell(customer, EventKind.CUSTOMER_UPDATED, details, actor=actor, now=now, real_now=real_now)
            hooks.customer_changed(customer, details.keys(), real_now=real_now)
        if "name" in details or "measurement_mappings" in details:
            hooks.attribution_changed(customer.vendor, real_now=real_now)
    return customer


def delete_customer(customer: Customer, *, actor: Actor, now: datetime, real_now: datetime) -> None:
    """Raises ``Conflict`` while a subscription or an invoice refers to the customer."""
    with transaction.atomic():
        customer = lock_customer(customer, to_delete=True)
        _tell(customer, EventKind.CUSTOMER_DELETED, {}, actor=actor, now=now, real_now=real_now)
        hooks.customer_deleting(customer)
        try:
            customer.delete()
        except models.ProtectedError as error:
            kinds = {str(thing._meta.verbose_name_plural) for thing in error.protected_objects}
            raise Conflict(
                f"{customer.name} has {' and '.join(sorted(kinds))}, which are kept. End its subscription instead.",
                code="customer_in_use",
            ) from None


def add_mapping(
    customer: Customer, rule: Rule, *, actor: Actor, now: datetime, real_now: datetime
) -> MeasurementMapping:
    """The mapping, also where the customer has just this one already. Raises ``Invalid``."""
    mapping = MeasurementMapping(customer=customer, label=rule.label, value_regex=rule.value_regex)
    _check_mapping(mapping)
    with transaction.atomic():
        lock_customer(customer)
        row, is_new = MeasurementMapping.objects.get_or_create(
            customer=customer, label=rule.label, value_regex=rule.value_regex
        )
        if is_new:
            details = {"mapping_added": str(row)}
            _tell(customer, EventKind.CUSTOMER_UPDATED, details, actor=actor, now=now, real_now=real_now)
            hooks.attribution_changed(customer.vendor, real_now=real_now)
    return row


def delete_mapping(customer: Customer, mapping_id: int, *, actor: Actor, now: datetime, real_now: datetime) -> None:
    """What it has attributed stays attributed. Raises ``Missing``."""
    with transaction.atomic():
        row = customer.measurement_mappings.select_for_update().filter(pk=mapping_id).first()
        if row is None:
            raise Missing(f"{customer.name} has no measurement mapping {mapping_id}.")
        details = {"mapping_deleted": str(row)}
        row.delete()
        _tell(customer, EventKind.CUSTOMER_UPDATED, details, actor=actor, now=now, real_now=real_now)


def set_metadata(
    customer: Customer, values: Mapping[str, str], *, actor: Actor, now: datetime, real_now: datetime
) -> None:
    """Adds properties, or changes the value of those that are there. Raises ``Invalid``."""
    with transaction.atomic():
        lock_customer(customer)
        _write_metadata(customer, values)
        if values:
            details = {"metadata": dict(values)}
            _tell(customer, EventKind.CUSTOMER_UPDATED, details, actor=actor, now=now, real_now=real_now)


def replace_metadata(
    customer: Customer, values: Mapping[str, str], *, actor: Actor, now: datetime, real_now: datetime
) -> None:
    """Just these properties from now on. Raises ``Invalid``."""
    with transaction.atomic():
        lock_customer(customer)
        before = dict(customer.metadata.order_by("property").values_list("property", "value"))
        if before == dict(values):
            return
        customer.metadata.exclude(property__in=values).delete()
        _write_metadata(customer, values)
        details = {"metadata": {"before": before, "after": dict(values)}}
        _tell(customer, EventKind.CUSTOMER_UPDATED, details, actor=actor, now=now, real_now=real_now)


def lock_customer(customer: Customer, *, to_delete: bool = False) -> Customer:
    """As it is now, until the transaction ends. What hangs on a customer is written under this lock, so that nobody
    deletes it meanwhile. ``to_delete`` also waits for those who write rows that only refer to it. Raises
    ``Missing``."""
    vendor = customer.vendor
    row = Customer.objects.of(vendor).select_for_update(no_key=not to_delete).filter(pk=customer.pk).first()
    if row is None:
        raise Missing(f"There is no customer {customer.name!r} any more.")
    row.vendor = vendor
    return row


def check(customer: Customer) -> None:
    """Whether it could be saved. Raises ``Invalid``; asks no database."""
    _check_name(customer.name)
    try:
        customer.full_clean(exclude=["vendor"], validate_constraints=False)
    except ValidationError as error:
        raise Invalid(error.message_dict) from None


def _check_name(name: str) -> None:
    """A name is part of addresses, so it must survive being one."""
    if not name.strip():
        raise Invalid({"name": "Give a name: a unique code name, for example your own customer id."})
    if name != name.strip() or "/" in name or not name.isprintable() or name in (".", ".."):
        raise Invalid({"name": "A name has no slash, no control characters, and no space at either end."})


def _save(customer: Customer, *, force_insert: bool = False) -> None:
    try:
        with transaction.atomic():
            customer.save(force_insert=force_insert)
    except IntegrityError as error:
        if "customer_name_unique_per_vendor" not in str(error):
            raise
        raise Invalid({"name": f"There already is a customer {customer.name!r}. Names are unique."}) from None


def _differences(customer: Customer, before: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {"before": was, "after": getattr(customer, name)}
        for name, was in before.items()
        if getattr(customer, name) != was
    }


def _check_mapping(mapping: MeasurementMapping, position: int | None = None) -> None:
    try:
        mapping.full_clean(exclude=["customer"], validate_constraints=False)
    except ValidationError as error:
        prefix = "" if position is None else f"measurement_mappings.{position}."
        raise Invalid({f"{prefix}{name}": texts for name, texts in error.message_dict.items()}) from None


def _replace_mappings(customer: Customer, rules: Sequence[Rule]) -> dict[str, Any] | None:
    """Before and after, or None where nothing changes."""
    wanted = list(dict.fromkeys(rules))
    rows = [MeasurementMapping(customer=customer, label=rule.label, value_regex=rule.value_regex) for rule in wanted]
    for position, row in enumerate(rows):
        _check_mapping(row, position)
    before = [str(row) for row in customer.measurement_mappings.order_by("pk")]
    after = [str(row) for row in rows]
    if before == after:
        return None
    customer.measurement_mappings.all().delete()
    MeasurementMapping.objects.bulk_create(rows)
    return {"before": before, "after": after}


def _write_metadata(customer: Customer, values: Mapping[str, str]) -> None:
    rows = [CustomerMetadata(customer=customer, property=name, value=value) for name, value in values.items()]
    for row in rows:
        try:
            row.full_clean(exclude=["customer"], validate_constraints=False)
        except ValidationError as error:
            raise Invalid({f"customer_metadata.{row.property}": error.messages}) from None
    CustomerMetadata.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["customer", "property"], update_fields=["value"]
    )


def _unique(tags: Sequence[str] | None) -> list[str]:
    return list(dict.fromkeys(tags or ()))


def _tell(
    customer: Customer,
    kind: EventKind,
    details: Mapping[str, Any],
    *,
    actor: Actor,
    now: datetime,
    real_now: datetime,
) -> None:
    payload = {"customer_name": customer.name}
    fact = Fact(kind, SubjectKind.CUSTOMER, customer.pk, customer.pk, payload=payload, details=details)
    record(customer.vendor, fact, actor=actor, now=now, real_now=real_now)
