"""Does the account still let us act? What happens once it does not.

The work of a vendor without a connection waits, with a reason; it is no failure of an invoice. Its customers
stay known for the day the same account is connected again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from customers.actors import STRIPE, Actor, ActorKind
from customers.events.models import EventKind, SubjectKind
from customers.events.record import Fact, record
from payments.stripe.models import StripeConnection

REMEDY = "Connect it again under Settings -> Invoicing & Payments; what waits then goes on by itself."
REVOKED = "The account no longer lets us act: the access was revoked in Stripe."
KEY_REFUSED = "Stripe refused the secret key that was entered for it: the key was rolled or deleted in Stripe."


def why_not(connection: StripeConnection) -> str:
    """Why no call is made through a connection that has ended."""
    reason = connection.disconnected_reason or "It was disconnected here."
    return f"The Stripe account {connection.account_id} is not connected. {reason} {REMEDY}"


def ended(connection: StripeConnection, *, real_now: datetime, reason: str = REVOKED, actor: Actor = STRIPE) -> bool:
    """Write down that we may no longer act for the account. False when that was known.

    Whoever pressed Disconnect is who ended it, whichever way we hear of it; otherwise it is a surprise, of
    which the vendor is told by e-mail.
    """
    with transaction.atomic():
        row = StripeConnection.objects.select_for_update(of=("self",)).select_related("vendor").get(pk=connection.pk)
        if row.disconnected_at is not None:
            return False
        asked_by = row.disconnect_asked_by
        row.disconnected_at, row.is_active, row.disconnect_asked_by, row.secret_key = real_now, False, "", ""
        row.disconnected_reason, row.is_notice_due = ("", False) if asked_by else (reason, not actor.is_person)
        row.save()
        who = Actor(ActorKind.OPERATOR, asked_by) if asked_by else actor
        tell(row, EventKind.STRIPE_DISCONNECTED, {"reason": row.disconnected_reason}, actor=who, real_now=real_now)
    return True


def tell(
    connection: StripeConnection, kind: EventKind, details: Mapping[str, Any], *, actor: Actor, real_now: datetime
) -> None:
    vendor = connection.vendor
    what = {"account": connection.account_id, "mode": connection.mode, **details}
    fact = Fact(kind, SubjectKind.VENDOR, vendor.pk, details={"note": f"{connection}.", **what})
    record(vendor, fact, actor=actor, now=vendor.now(real_now), real_now=real_now)
