"""Usage limits of a metered component: how much is expected of a customer in a billing cycle. They only warn: nothing
is refused, and nothing costs more.

A limit holds for all of the usage, or for labels: ``{"region": "eu"}`` for what carries that value,
``{"region": "any"}`` for what carries any, together, and ``{"region": "each"}`` for every value on its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Context, Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from customers.actors import Actor
from customers.errors import Invalid, Missing
from customers.events.models import EventKind, SubjectKind
from customers.events.record import Fact, record
from customers.vendor import Vendor
from invoicing.catalog.hooks import limits_changed
from invoicing.catalog.models import Meter, MeteredComponent

ANY, EACH = "any", "each"
MOST = 200

Labels = tuple[tuple[str, str], ...]

_TOO_LARGE = Decimal("1e18")
_FINEST = Decimal("1e-12")
_ROOM = Context(prec=40)


@dataclass(frozen=True, slots=True)
class Limits:
    """``by_labels`` in the order given; labels in the order of the meter's."""

    overall: Decimal | None = None
    by_labels: tuple[tuple[Labels, Decimal], ...] = ()

    def rows(self) -> list[dict[str, Any]]:
        """As the column keeps them: exact decimals as text."""
        return [{"labels": dict(labels), "limit": f"{limit:f}"} for labels, limit in self.by_labels]

    def in_words(self) -> str:
        """As people read them: 4,000; region eu: 1,000."""
        rows = [(", ".join(f"{name} {value}" for name, value in labels), limit) for labels, limit in self]
        return "; ".join(f"{labels}: {_plain(limit)}" if labels else _plain(limit) for labels, limit in rows) or "none"

    def __iter__(self) -> Iterator[tuple[Labels, Decimal]]:
        if self.overall is not None:
            yield (), self.overall
        yield from self.by_labels


def _plain(limit: Decimal) -> str:
    return f"{limit.normalize():,f}"


def limits_of(component: MeteredComponent) -> Limits:
    rows = component.label_limits
    return Limits(component.limit, tuple((tuple(row["labels"].items()), Decimal(row["limit"])) for row in rows))


def read_limits(values: Mapping[str, Any], meter: Meter, at: str, before: Limits | None = None) -> Limits:
    """``before`` with what is given: null takes the limit away, a list stands in place of the one there was. A row
    without labels is the limit of all. Raises ``Invalid``."""
    limits = before or Limits()
    if "limit" in values:
        given = values["limit"]
        limits = replace(limits, overall=None if given is None else _number(given, f"{at}limit"))
    if values.get("label_limits") is not None:
        limits = _with_rows(limits, values, meter, at)
    return limits


def _with_rows(limits: Limits, values: Mapping[str, Any], meter: Meter, at: str) -> Limits:
    given = values["label_limits"]
    if len(given) > MOST:
        raise Invalid({f"{at}label_limits": f"At most {MOST} limits for labels; these are {len(given)}."})
    found: dict[Labels, Decimal] = {}
    for place, row in enumerate(given):
        here = f"{at}label_limits.{place}"
        labels, limit = _labels(row.get("labels"), meter, f"{here}.labels"), _number(row.get("limit"), f"{here}.limit")
        if labels in found or not labels and values.get("limit") is not None:
            raise Invalid({here: "There is a limit for these labels already: give each once."})
        found[labels] = limit
    overall = found.pop((), limits.overall)
    return Limits(overall, tuple(found.items()))


def _labels(given: Mapping[str, str] | None, meter: Meter, at: str) -> Labels:
    labels = given or {}
    for name in labels:
        if name not in meter.primary_labels:
            known = ", ".join(meter.primary_labels) or "none"
            raise Invalid({f"{at}.{name}": f"{name!r} is no primary label of {meter.name!r}; there are: {known}."})
    return tuple((name, labels[name]) for name in meter.primary_labels if name in labels)


def _number(value: Any, at: str) -> Decimal:
    limit = Decimal(0) if value is None else Decimal(str(value))
    if not 0 < limit < _TOO_LARGE or limit != limit.quantize(_FINEST, context=_ROOM):
        raise Invalid({at: "Give a number above 0 and below 10^18, with 12 decimals at most."})
    return limit


def find_component(vendor: Vendor, uuid: str) -> MeteredComponent:
    """With what its answer shows. Raises ``Missing``."""
    rows = MeteredComponent.objects.filter(price_plan__vendor=vendor).select_related(
        "meter", "price_scheme", "price_plan__vendor"
    )
    try:
        return rows.prefetch_related("price_scheme__tiers").get(external_uuid=UUID(uuid))
    except (ValueError, MeteredComponent.DoesNotExist):
        raise Missing(f"There is no metered component {uuid!r}.") from None


def update_limits(
    component: MeteredComponent, values: Mapping[str, Any], *, actor: Actor, now: datetime, real_now: datetime
) -> MeteredComponent:
    """In place, for all subscribers of the plan's version at once. Raises ``Invalid``."""
    with transaction.atomic():
        kept = MeteredComponent.objects.select_for_update(no_key=True).get(pk=component.pk)
        before = limits_of(kept)
        limits = read_limits(values, component.meter, "", before)
        component.limit, component.label_limits = limits.overall, limits.rows()
        component.save(update_fields=["limit", "label_limits"])
        limits_changed(component)
        if limits != before:
            _tell(component, before, limits, actor=actor, now=now, real_now=real_now)
    return component


def _tell(
    component: MeteredComponent, before: Limits, after: Limits, *, actor: Actor, now: datetime, real_now: datetime
) -> None:
    plan = component.price_plan
    changes = {component.label: {"before": before.in_words(), "after": after.in_words()}}
    fact = Fact(
        EventKind.USAGE_LIMITS_CHANGED,
        SubjectKind.VENDOR,
        plan.vendor_id,
        details={"note": f"{plan}.", "changes": changes},
    )
    record(plan.vendor, fact, actor=actor, now=now, real_now=real_now)
