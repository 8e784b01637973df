"""Inviting somebody to work for a vendor, by an e-mailed link that works once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.urls import reverse

from billing_portal.accounts import tasks
from billing_portal.accounts.models import Invitation, Membership, Operator, Role, new_nonce
from customers.actors import Actor
from customers.errors import Conflict, Invalid
from customers.events.models import EventKind, SubjectKind
from customers.events.record import Fact, record
from customers.vendor import Vendor

LIFETIME = timedelta(days=7)
SALT = "billing_portal.accounts.invitation"

REPLACED = "This link does not work any more: a newer one was sent, or it is incomplete. Open the latest e-mail."
USED = "This invitation was accepted already. Sign in with its e-mail address."
REVOKED = "This invitation was taken back. Ask whoever sent it."
EXPIRED = "This invitation has expired. Ask whoever sent it for another."


@dataclass(frozen=True)
class Person:
    """What somebody without an account says of themselves."""

    first_name: str
    last_name: str
    password: str


@transaction.atomic
def invite(vendor: Vendor, email: str, role: Role, *, actor: Actor, now: datetime, real_now: datetime) -> Invitation:
    """Raises ``Invalid`` where the person belongs to the vendor or is invited already."""
    email = email.strip().lower()
    Vendor.objects.select_for_update(no_key=True).get(pk=vendor.pk)
    if Membership.objects.of(vendor).filter(operator__email__iexact=email).exists():
        raise Invalid({"email": f"{email} works for {vendor} already. Change the role in the list below."})
    if Invitation.objects.of(vendor).open().filter(email=email).exists():
        raise Invalid({"email": f"{email} is invited already. Send the invitation again, or revoke it first."})
    invitation = Invitation.objects.create(
        vendor=vendor, email=email, role=role, invited_by=actor.label, created_at=real_now,
        expires_at=real_now + LIFETIME,
    )  # fmt: skip
    _tell(invitation, EventKind.OPERATOR_INVITED, actor=actor, now=now, real_now=real_now)
    _send_after_commit(invitation)
    return invitation


@transaction.atomic
def send_again(invitation: Invitation, *, actor: Actor, now: datetime, real_now: datetime) -> None:
    """A new link with a full life; those sent before open nothing any more."""
    mine = _open(invitation)
    mine.nonce, mine.expires_at, mine.sent_at = new_nonce(), real_now + LIFETIME, None
    mine.save(update_fields=["nonce", "expires_at", "sent_at"])
    _tell(mine, EventKind.OPERATOR_INVITED_AGAIN, actor=actor, now=now, real_now=real_now)
    _send_after_commit(mine)


@transaction.atomic
def revoke(invitation: Invitation, *, actor: Actor, now: datetime, real_now: datetime) -> None:
    mine = _open(invitation)
    mine.revoked_at = real_now
    mine.save(update_fields=["revoked_at"])
    _tell(mine, EventKind.OPERATOR_INVITATION_REVOKED, actor=actor, now=now, real_now=real_now)


def link_to(invitation: Invitation) -> str:
    token = signing.dumps([str(invitation.uuid), invitation.nonce], salt=SALT)
    return str(settings.PUBLIC_URL).rstrip("/") + reverse("portal:join", args=[token])


def invitation_of(token: str, *, real_now: datetime) -> Invitation:
    """Raises ``Conflict``, in words for whoever followed the link."""
    try:
        uuid, nonce = signing.loads(token, salt=SALT)
    except signing.BadSignature:
        raise Conflict(REPLACED) from None
    found = Invitation.objects.filter(uuid=UUID(uuid), nonce=nonce).select_related("vendor").first()
    if found is None:
        raise Conflict(REPLACED)
    _refuse_unless_open(found)
    if found.expires_at <= real_now:
        raise Conflict(EXPIRED)
    return found


def account_of(invitation: Invitation) -> Operator | None:
    return Operator.objects.filter(email__iexact=invitation.email).first()


@transaction.atomic
def accept(invitation: Invitation, person: Person | None, *, now: datetime, real_now: datetime) -> Operator:
    """Whoever has an account just joins; else ``person`` makes one. The link has shown whose address it is."""
    mine = _open(invitation)
    operator = account_of(mine)
    if operator is None:
        if person is None:
            raise Conflict("There is no account with this e-mail address any more. Open the link again.")
        names = {"first_name": person.first_name, "last_name": person.last_name}
        operator = Operator.objects.create_user(mine.email, person.password, **names)
    Membership.objects.get_or_create(operator=operator, vendor=mine.vendor, defaults={"role": mine.role})
    mine.accepted_at = real_now
    mine.save(update_fields=["accepted_at"])
    _tell(mine, EventKind.OPERATOR_JOINED, actor=operator.as_actor(), now=now, real_now=real_now)
    return operator


def _open(invitation: Invitation) -> Invitation:
    """Read again and locked."""
    rows = Invitation.objects.of(invitation.vendor).select_for_update(of=("self",)).select_related("vendor")
    found = rows.get(pk=invitation.pk)
    if found.nonce != invitation.nonce:
        raise Conflict(REPLACED)
    _refuse_unless_open(found)
    return found


def _refuse_unless_open(invitation: Invitation) -> None:
    if invitation.accepted_at:
        raise Conflict(USED)
    if invitation.revoked_at:
        raise Conflict(REVOKED)


def _send_after_commit(invitation: Invitation) -> None:
    transaction.on_commit(partial(tasks.send_invitation.delay, invitation.pk))


def _tell(invitation: Invitation, kind: EventKind, *, actor: Actor, now: datetime, real_now: datetime) -> None:
    note = f"{invitation.email} as {invitation.get_role_display()}."
    fact = Fact(kind, SubjectKind.VENDOR, invitation.vendor_id, details={"note": note})
    record(invitation.vendor, fact, actor=actor, now=now, real_now=real_now)
