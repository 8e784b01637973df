"""What happened, newest first, one sentence a fact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils.dateparse import parse_datetime

from billing_portal.portal import words
from billing_portal.portal.subjects import Subject, subjects_of
from customers.actors import ActorKind
from customers.events.models import Event, EventKind, SubjectKind
from customers.settings.policy import SETTINGS
from customers.vendor import Vendor

SHOWN = 50

K = EventKind

# Icon and tone of each kind; the rest are plain.
LOOKS: Mapping[str, tuple[str, str]] = {
    K.INVOICE_GENERATED: ("note_add", "info"),
    K.INVOICE_REGENERATED: ("restart_alt", "info"),
    K.INVOICE_APPROVED: ("check_circle", "primary"),
    K.INVOICE_PAUSED: ("pause_circle", "warning"),
    K.INVOICE_RESUMED: ("play_circle", "primary"),
    K.INVOICE_DUE_DATE_CHANGED: ("event", "default"),
    K.INVOICE_ISSUED: ("send", "primary"),
    K.INVOICE_ISSUING_FAILED: ("error", "danger"),
    K.INVOICE_PAID: ("paid", "success"),
    K.INVOICE_PAYMENT_FAILED: ("credit_card_off", "danger"),
    K.INVOICE_RESENT: ("forward_to_inbox", "primary"),
    K.INVOICE_VOIDED: ("block", "default"),
    K.INVOICE_UNCOLLECTIBLE: ("money_off", "warning"),
    K.INVOICE_REFUND_STARTED: ("undo", "default"),
    K.INVOICE_PARTLY_PAID: ("payments", "info"),
    K.INVOICE_OVERPAID: ("payments", "warning"),
    K.INVOICE_REOPENED: ("lock_open", "warning"),
    K.INVOICE_FINALIZATION_FAILED: ("error", "danger"),
    K.INVOICE_DISPUTED: ("gavel", "danger"),
    K.INVOICE_DISPUTE_CLOSED: ("gavel", "info"),
    K.INVOICE_REFUNDED: ("undo", "success"),
    K.INVOICE_REFUND_FAILED: ("error", "danger"),
    K.INVOICE_PAST_DUE: ("schedule", "danger"),
    K.INVOICE_DELETED: ("delete", "default"),
    K.INVOICE_RESCHEDULED: ("event_repeat", "default"),
    K.CUSTOMER_NEW: ("person_add", "info"),
    K.GATEWAY_CUSTOMER_CREATED: ("link", "success"),
    K.GATEWAY_CUSTOMER_FAILED: ("link_off", "danger"),
    K.PAYMENT_METHOD_UPDATED: ("credit_card", "info"),
    K.SUBSCRIPTION_NEW: ("autorenew", "info"),
    K.USAGE_LIMIT_EXCEEDED: ("error", "warning"),
    K.USAGE_LIMITS_CHANGED: ("speed", "default"),
    K.USAGE_ATTRIBUTED: ("link", "info"),
    K.SETTINGS_CHANGED: ("tune", "default"),
    K.OVERRIDE_CHANGED: ("tune", "warning"),
    K.BILLING_PAUSED: ("pause_circle", "warning"),
    K.BILLING_RESUMED: ("play_circle", "success"),
    K.CLOCK_MOVED: ("schedule", "default"),
    K.STRIPE_CONNECTED: ("link", "success"),
    K.STRIPE_DISCONNECTED: ("link_off", "danger"),
    K.STRIPE_SWITCHED: ("swap_horiz", "warning"),
    K.STRIPE_KEYS_CHANGED: ("key", "default"),
    K.STRIPE_ENDPOINT_REGISTERED: ("webhook", "default"),
    K.OPERATOR_INVITED: ("mail", "info"),
    K.OPERATOR_INVITED_AGAIN: ("mail", "info"),
    K.OPERATOR_INVITATION_REVOKED: ("cancel", "default"),
    K.OPERATOR_JOINED: ("person_add", "success"),
    K.OPERATOR_ROLE_CHANGED: ("manage_accounts", "warning"),
    K.OPERATOR_REMOVED: ("person_remove", "warning"),
    K.OPERATOR_PASSWORD_CHANGED: ("password", "default"),
}

LABELS = {setting.name: setting.label for setting in SETTINGS}


@dataclass(frozen=True)
class Entry:
    icon: str
    tone: str
    sentence: str
    detail: str
    actor: str
    at: datetime
    about: Subject | None = None
    """Said where the page is about something else."""


def timeline_of(vendor: Vendor, kind: SubjectKind, pk: int, only: EventKind | None = None) -> list[Entry]:
    rows = Event.objects.of(vendor).filter(subject_kind=kind, subject_id=pk)
    if only is not None:
        rows = rows.filter(kind=only)
    return [entry(event) for event in rows.order_by("-id")[:SHOWN]]


def timeline_of_customer(vendor: Vendor, customer_id: int) -> list[Entry]:
    mine = Q(customer_id=customer_id) | Q(subject_kind=SubjectKind.CUSTOMER, subject_id=customer_id)
    events = list(Event.objects.of(vendor).filter(mine).order_by("-id")[:SHOWN])
    invoices = subjects_of(vendor, events, {SubjectKind.INVOICE})
    return [replace(entry(one), about=invoices.get((one.subject_kind, one.subject_id))) for one in events]


def entry(event: Event) -> Entry:
    icon, tone = LOOKS.get(event.kind, ("circle", "default"))
    return Entry(icon, tone, EventKind(event.kind).label, _detail(event), _actor(event), event.occurred_at)


def _actor(event: Event) -> str:
    return event.actor_label or ActorKind(event.actor_kind).label


def _detail(event: Event) -> str:
    """What the fact's details say, in words: the reason, the error, what moved or changed."""
    details = {**event.payload, **event.details}
    parts = [_text(details.get(key)) for key in ("delivery", "note", "reason", "error")]
    parts += [_moved(details), _changes(details.get("changes"))]
    return " ".join(dict.fromkeys(part for part in parts if part))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _moved(details: Mapping[str, Any]) -> str:
    before, after = (parse_datetime(_text(details.get(key))) for key in ("from", "to"))
    if after is None:
        return ""
    return f"From {words.moment(before)} to {words.moment(after)}." if before else f"To {words.moment(after)}."


def _changes(changes: Any) -> str:
    """``{name: {"before": a, "after": b}}``, as sentences."""
    if not isinstance(changes, dict):
        return ""
    return " ".join(f"{LABELS.get(name, name)}: {_change(value)}." for name, value in changes.items())


def _change(value: Any) -> str:
    before, after = (value.get("before"), value.get("after")) if isinstance(value, dict) else (None, value)
    return f"{_value(before)} → {_value(after)}"


def _value(value: Any) -> str:
    if value is None or value == "":
        return "not set"
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)
