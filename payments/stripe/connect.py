"""Which Stripe account acts for a vendor, and in which mode?

Test and live are two connections. At most one acts; the other stands by. An account that was disconnected
and is connected again takes up its old row, so that its customers are known as before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet

from customers.actors import SCHEDULE, Actor
from customers.errors import Conflict, Invalid
from customers.events.models import EventKind
from customers.vendor import Vendor
from invoicing.invoices.waiting import go_on
from payments.stripe import standing
from payments.stripe.client import JSON, client_for
from payments.stripe.models import StripeConnection

# Webhooks come in bursts: the time of the last one need not be written for each.
NOTE_EVERY = timedelta(seconds=5)

ELSEWHERE = "account_elsewhere"
ANOTHER = "another_account"


@dataclass(frozen=True)
class Keys:
    """A vendor's own, in place of the platform's."""

    secret_key: str
    publishable_key: str


def connection_of(vendor: Vendor) -> StripeConnection | None:
    """The connection that acts for the vendor, if there is one."""
    return acting_connection(vendor.pk)


def acting_connection(vendor_id: int) -> StripeConnection | None:
    acting = StripeConnection.objects.filter(vendor_id=vendor_id, is_active=True, disconnected_at__isnull=True)
    return acting.first()


def connection_by_reference(reference: str) -> StripeConnection | None:
    """The connection an invoice was made through; calls by one that has ended wait for it (``client_for``).
    Never that of another vendor, to whom the account may have moved meanwhile."""
    account_id, _, rest = reference.partition("/")
    mode, _, vendor = rest.partition("/")
    if not vendor.isdecimal():
        return None
    known = StripeConnection.objects.filter(account_id=account_id, livemode=mode == "live", vendor_id=int(vendor))
    return known.order_by(F("disconnected_at").desc(nulls_first=True), "-pk").first()


def last_connection(vendor_id: int) -> StripeConnection | None:
    """The one that ended last, where none acts: what was to go out through it waits for an account."""
    return StripeConnection.objects.filter(vendor_id=vendor_id).order_by("disconnected_at", "pk").last()


def required_connection(vendor: Vendor) -> StripeConnection:
    connection = connection_of(vendor)
    if connection is None:
        raise Conflict(
            "No Stripe account is connected. Connect one under Settings -> Invoicing & Payments.",
            code="stripe_not_connected",
        )
    return connection


def connections(vendor: Vendor) -> QuerySet[StripeConnection]:
    """Every account the vendor is connected with, whether it acts or stands by: at most one for each mode."""
    return StripeConnection.objects.of(vendor).filter(disconnected_at__isnull=True)


def describe_account(connection: StripeConnection, *, real_now: datetime) -> str:
    """Ask Stripe for the account. Raises ``GatewayError`` where it cannot be reached or does not let us act."""
    account = probe(connection, real_now=real_now)
    charges = "can charge customers" if account.get("charges_enabled") else "cannot charge customers yet"
    name = name_of(account) or account["id"]
    return f"The connection works: Stripe knows the account as {name}, and it {charges}."


def probe(connection: StripeConnection, *, real_now: datetime) -> JSON:
    """The account, from Stripe. A refusal marks the connection as ended (``client.py``)."""
    StripeConnection.objects.filter(pk=connection.pk).update(probed_at=real_now)
    account = client_for(connection).retrieve_account()
    StripeConnection.objects.filter(pk=connection.pk).update(account_name=name_of(account))
    return account


def name_of(account: JSON) -> str:
    profile = (account.get("settings") or {}).get("dashboard") or {}
    return str(profile.get("display_name") or account.get("email") or "")[:256]


# Connecting


def attach(
    vendor: Vendor,
    account_id: str,
    *,
    livemode: bool,
    real_now: datetime,
    actor: Actor = SCHEDULE,
    keys: Keys | None = None,
    act: bool = True,
) -> StripeConnection:
    """Connect this account, and let it act; with ``act`` false only if no other acts. Doing so again
    changes nothing but which connection acts.

    Raises ``Invalid`` for something that is no account id or a live account for a vendor in test mode,
    ``Conflict`` when the account belongs to another vendor or the vendor already has another one.
    """
    _check(vendor, account_id, livemode)
    try:
        with transaction.atomic():
            Vendor.objects.select_for_update(no_key=True).get(pk=vendor.pk)
            connection = _opened(vendor, account_id, livemode, keys, actor, real_now)
            if act or acting_connection(vendor.pk) is None:
                _let_act(connection)
            go_on(vendor, real_now=real_now)
            return connection
    except IntegrityError as error:
        raise Conflict(f"The Stripe account {account_id} is connected to another vendor.", code=ELSEWHERE) from error


def _check(vendor: Vendor, account_id: str, livemode: bool) -> None:
    if not account_id.startswith("acct_") or len(account_id) > 64:
        raise Invalid({"account_id": f"{account_id!r} is not a Stripe account id. It starts with acct_."})
    if livemode and vendor.is_test:
        raise Invalid({"livemode": "A vendor in test mode uses Stripe's test mode only."})


def _opened(
    vendor: Vendor, account_id: str, livemode: bool, keys: Keys | None, actor: Actor, real_now: datetime
) -> StripeConnection:
    """The vendor's row for the account: a new one, the one that is connected, or the one of old, taken up again."""
    connected = connections(vendor).filter(livemode=livemode).first()
    if connected is not None and connected.account_id != account_id:
        message = f"The Stripe account {connected.account_id} is connected. Disconnect it first."
        raise Conflict(message, code=ANOTHER)
    if connected is not None:
        return _with_keys(connected, keys, actor, real_now)
    known = StripeConnection.objects.of(vendor).filter(account_id=account_id, livemode=livemode).order_by("-pk").first()
    row = known or StripeConnection(vendor=vendor, account_id=account_id, livemode=livemode, is_active=False)
    row.connected_at, row.connected_by, row.probed_at = real_now, actor.label, real_now
    row.disconnected_at, row.disconnected_reason, row.disconnect_asked_by = None, "", ""
    row.is_notice_due = False
    row.secret_key, row.publishable_key = (keys.secret_key, keys.publishable_key) if keys else ("", "")
    row.save()
    standing.tell(row, EventKind.STRIPE_CONNECTED, {}, actor=actor, real_now=real_now)
    return row


def _with_keys(connected: StripeConnection, keys: Keys | None, actor: Actor, real_now: datetime) -> StripeConnection:
    if keys is not None:
        connected.secret_key, connected.publishable_key = keys.secret_key, keys.publishable_key
        connected.save(update_fields=["secret_key", "publishable_key"])
        standing.tell(connected, EventKind.STRIPE_KEYS_CHANGED, {}, actor=actor, real_now=real_now)
    return connected


def _let_act(connection: StripeConnection) -> None:
    others = StripeConnection.objects.filter(vendor_id=connection.vendor_id, is_active=True)
    others.exclude(pk=connection.pk).update(is_active=False)
    if not connection.is_active:
        connection.is_active = True
        connection.save(update_fields=["is_active"])


# The switch between test and live


def switch(vendor: Vendor, *, livemode: bool, actor: Actor, real_now: datetime) -> StripeConnection:
    """Let the other account act. What was issued stays with the account it was issued in.

    Raises ``Conflict`` where that mode is not connected, ``Invalid`` for a vendor in test mode.
    """
    if livemode and vendor.is_test:
        raise Invalid({"livemode": "A vendor in test mode uses Stripe's test mode only."})
    with transaction.atomic():
        Vendor.objects.select_for_update(no_key=True).get(pk=vendor.pk)
        wanted = connections(vendor).filter(livemode=livemode).first()
        if wanted is None:
            mode = "live" if livemode else "test"
            raise Conflict(f"No {mode} account is connected. Connect one first.", code="stripe_not_connected")
        if not wanted.is_active:
            _let_act(wanted)
            standing.tell(wanted, EventKind.STRIPE_SWITCHED, {}, actor=actor, real_now=real_now)
            go_on(vendor, real_now=real_now)
    return wanted


# News of it


def connection_for_event(account_id: str, livemode: bool) -> StripeConnection | None:
    """Whom an incoming event is for."""
    rows = StripeConnection.objects.filter(account_id=account_id, livemode=livemode, disconnected_at__isnull=True)
    return rows.select_related("vendor").first()


def note_webhook(connection: StripeConnection, at: datetime) -> None:
    """Remember when the last webhook came in."""
    if connection.last_webhook_at is not None and connection.last_webhook_at >= at - NOTE_EVERY:
        return
    stale = Q(last_webhook_at__isnull=True) | Q(last_webhook_at__lt=at - NOTE_EVERY)
    StripeConnection.objects.filter(stale, pk=connection.pk).update(last_webhook_at=at)
