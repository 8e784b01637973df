"""Writing facts down, in the transaction of the change they tell of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from customers.actors import Actor
from customers.events.models import Event, EventKind, SubjectKind
from customers.vendor import Vendor


@dataclass(frozen=True)
class Fact:
    """What happened to whom. ``payload`` is told to webhook endpoints, ``details`` is not."""

    kind: EventKind
    subject_kind: SubjectKind
    subject_id: int
    customer_id: int | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


def build_event(vendor: Vendor, fact: Fact, *, actor: Actor, now: datetime, real_now: datetime) -> Event:
    """An unsaved row, for bulk writes. ``now`` is the vendor's time."""
    return Event(
        vendor=vendor,
        kind=fact.kind,
        subject_kind=fact.subject_kind,
        subject_id=fact.subject_id,
        customer_id=fact.customer_id,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_label=actor.label,
        payload={"vendor_name": vendor.name, **fact.payload},
        details=dict(fact.details),
        occurred_at=now,
        created_at=real_now,
    )


def record(vendor: Vendor, fact: Fact, *, actor: Actor, now: datetime, real_now: datetime) -> Event:
    event = build_event(vendor, fact, actor=actor, now=now, real_now=real_now)
    event.save(force_insert=True)
    return event
