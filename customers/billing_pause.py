"""The brake of a vendor's billing: a person pauses it, with a reason, and lets it go on.

While it is paused, nothing that falls due by itself is begun: no invoice is generated, issued, charged or sent by
e-mail, no reminder is written. What a worker has taken in hand before, it ends. Everything stays due, so that the
resumed run goes on where it stood. Invoices that Stripe charges automatically it tries again by its own schedule.
Usage is taken in, Stripe's news are followed, webhook endpoints are told, and what a person decides about one invoice
is done.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from customers.actors import Actor
from customers.errors import Refused
from customers.events.models import EventKind, SubjectKind
from customers.events.record import Fact, record
from customers.vendor import Vendor

NOT_PAUSED = Q(vendor__billing_paused_at__isnull=True)
"""Of rows with a ``vendor``: what may be begun by itself."""

_COLUMNS = ["billing_paused_at", "billing_paused_by", "billing_pause_reason"]


def pause_billing(vendor: Vendor, *, actor: Actor, reason: str, real_now: datetime) -> Vendor:
    """Raises ``Refused`` where it is paused already, or the reason is missing."""
    reason = reason.strip()
    if not reason:
        raise Refused("Say why billing is paused: whoever finds it paused wants to know.")
    with transaction.atomic():
        vendor = Vendor.objects.select_for_update(no_key=True).get(pk=vendor.pk)
        if vendor.billing_paused_at:
            raise Refused(f"Billing is paused already, by {vendor.billing_paused_by}: {vendor.billing_pause_reason}")
        _set(vendor, real_now, actor.label, reason)
        _record(vendor, EventKind.BILLING_PAUSED, actor, real_now, reason)
    return vendor


def resume_billing(vendor: Vendor, *, actor: Actor, real_now: datetime) -> Vendor:
    """Raises ``Refused`` where it is not paused."""
    with transaction.atomic():
        vendor = Vendor.objects.select_for_update(no_key=True).get(pk=vendor.pk)
        if not vendor.billing_paused_at:
            raise Refused("Billing is not paused.")
        reason = vendor.billing_pause_reason
        _set(vendor, None, "", "")
        _record(vendor, EventKind.BILLING_RESUMED, actor, real_now, reason)
    return vendor


def _set(vendor: Vendor, at: datetime | None, by: str, reason: str) -> None:
    vendor.billing_paused_at, vendor.billing_paused_by, vendor.billing_pause_reason = at, by, reason
    vendor.save(update_fields=_COLUMNS)


def _record(vendor: Vendor, kind: EventKind, actor: Actor, real_now: datetime, reason: str) -> None:
    fact = Fact(kind, SubjectKind.VENDOR, vendor.pk, details={"reason": reason})
    record(vendor, fact, actor=actor, now=vendor.now(real_now), real_now=real_now)
