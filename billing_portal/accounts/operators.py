"""Who works for a vendor, in which role, and who leaves. The last owner stays one: somebody must be able to let
others in."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from billing_portal.accounts.models import Membership, Operator, Role
from customers.actors import Actor
from customers.errors import Conflict
from customers.events.models import EventKind, SubjectKind
from customers.events.record import Fact, record
from customers.vendor import Vendor


@transaction.atomic
def change_role(membership: Membership, role: Role, *, actor: Actor, now: datetime, real_now: datetime) -> None:
    """Whoever is signed in with the old role must sign in again. Raises ``Conflict`` for the last owner."""
    mine = _locked(membership)
    if mine.role == role:
        return
    if role != Role.OWNER:
        _leave_an_owner(mine)
    before, mine.role = mine.get_role_display(), role
    mine.save(update_fields=["role"])
    end_sessions(mine.operator, real_now=real_now)
    note = f"{mine.operator}: {before} → {mine.get_role_display()}."
    _tell(mine, EventKind.OPERATOR_ROLE_CHANGED, note, actor=actor, now=now, real_now=real_now)


@transaction.atomic
def remove(membership: Membership, *, actor: Actor, now: datetime, real_now: datetime) -> None:
    """The account stays, for the other vendors it may belong to. Raises ``Conflict`` for the last owner."""
    mine = _locked(membership)
    _leave_an_owner(mine)
    mine.delete()
    end_sessions(mine.operator, real_now=real_now)
    note = f"{mine.operator}, who was {mine.get_role_display()}."
    _tell(mine, EventKind.OPERATOR_REMOVED, note, actor=actor, now=now, real_now=real_now)


def end_sessions(operator: Operator, *, real_now: datetime) -> None:
    operator.sessions_ended_at = real_now
    operator.save(update_fields=["sessions_ended_at"])


def tell_of_new_password(operator: Operator, *, real_now: datetime) -> None:
    tell_everywhere(operator, EventKind.OPERATOR_PASSWORD_CHANGED, actor=operator.as_actor(), real_now=real_now)


@transaction.atomic
def tell_everywhere(operator: Operator, kind: EventKind, *, actor: Actor, real_now: datetime) -> None:
    """In the records of each vendor that the operator works for."""
    for membership in Membership.objects.filter(operator=operator).select_related("vendor", "operator"):
        now, note = membership.vendor.now(real_now), f"{operator}."
        _tell(membership, kind, note, actor=actor, now=now, real_now=real_now)


def _locked(membership: Membership) -> Membership:
    """Read again under a lock that whoever changes operators of this vendor takes first."""
    Vendor.objects.select_for_update(no_key=True).get(pk=membership.vendor_id)
    rows = Membership.objects.of(membership.vendor).select_related("operator", "vendor")
    found = rows.filter(pk=membership.pk).first()
    if found is None:
        raise Conflict("This operator was removed meanwhile.", code="operator_gone")
    return found


def _leave_an_owner(membership: Membership) -> None:
    others = Membership.objects.of(membership.vendor).filter(role=Role.OWNER, operator__is_active=True)
    if membership.role == Role.OWNER and not others.exclude(pk=membership.pk).exists():
        message = f"{membership.operator} is the last owner of {membership.vendor}. Make somebody else an owner first."
        raise Conflict(message, code="last_owner")


def _tell(
    membership: Membership, kind: EventKind, note: str, *, actor: Actor, now: datetime, real_now: datetime
) -> None:
    fact = Fact(kind, SubjectKind.OPERATOR, membership.operator_id, details={"note": note})
    record(membership.vendor, fact, actor=actor, now=now, real_now=real_now)
