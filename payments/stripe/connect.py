"""Which Stripe account acts for a vendor, and in which mode?"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q

from customers.errors import Conflict, Invalid
from customers.vendor import Vendor
from payments.stripe.client import client_for
from payments.stripe.models import StripeConnection

# Webhooks come in bursts: the time of the last one need not be written for each.
NOTE_EVERY = timedelta(seconds=5)


def connection_of(vendor: Vendor) -> StripeConnection | None:
    """The connection that acts for the vendor, if there is one."""
    return acting_connection(vendor.pk)


def acting_connection(vendor_id: int) -> StripeConnection | None:
    acting = StripeConnection.objects.filter(vendor_id=vendor_id, is_active=True, disconnected_at__isnull=True)
    return acting.first()


def connection_by_reference(reference: str) -> StripeConnection | None:
    """The connection an invoice was made through, while it lasts."""
    account_id, _, mode = reference.partition("/")
    return connection_for_event(account_id, mode == "live")


def required_connection(vendor: Vendor) -> StripeConnection:
    connection = connection_of(vendor)
    if connection is None:
        raise Conflict(
            "No Stripe account is connected. Connect one under Settings -> Invoicing & Payments.",
            code="stripe_not_connected",
        )
    return connection


def describe_account(connection: StripeConnection) -> str:
    """Ask Stripe for the account. Raises ``GatewayError`` where it cannot be reached or does not let us act."""
    account = client_for(connection).retrieve_account()
    profile = (account.get("settings") or {}).get("dashboard") or {}
    name = profile.get("display_name") or account.get("email") or account["id"]
    charges = "can charge customers" if account.get("charges_enabled") else "cannot charge customers yet"
    return f"The connection works: Stripe knows the account as {name}, and it {charges}."


def attach(vendor: Vendor, account_id: str, *, livemode: bool, real_now: datetime) -> StripeConnection:
    """Let this account act for the vendor. Doing so again changes nothing but which connection acts.

    Raises ``Invalid`` for something that is no account id or a live account for a vendor in test mode,
    ``Conflict`` when the account belongs to another vendor or the vendor already has another one.
    """
    _check(vendor, account_id, livemode)
    try:
        with transaction.atomic():
            Vendor.objects.select_for_update().get(pk=vendor.pk)
            return _activate(vendor, account_id, livemode, real_now)
    except IntegrityError as error:
        raise Conflict(f"The Stripe account {account_id} is connected to another vendor.") from error


def _check(vendor: Vendor, account_id: str, livemode: bool) -> None:
    if not account_id.startswith("acct_") or len(account_id) > 64:
        raise Invalid({"account_id": f"{account_id!r} is not a Stripe account id. It starts with acct_."})
    if livemode and vendor.is_test:
        raise Invalid({"livemode": "A vendor in test mode uses Stripe's test mode only."})


def _activate(vendor: Vendor, account_id: str, livemode: bool, real_now: datetime) -> StripeConnection:
    mine = StripeConnection.objects.filter(vendor=vendor)
    connected = mine.filter(livemode=livemode, disconnected_at__isnull=True).first()
    if connected is not None and connected.account_id != account_id:
        raise Conflict(f"The Stripe account {connected.account_id} is connected. Disconnect it first.")
    mine.filter(is_active=True).update(is_active=False)
    if connected is None:
        return StripeConnection.objects.create(
            vendor=vendor, account_id=account_id, livemode=livemode, connected_at=real_now
        )
    connected.is_active = True
    connected.save(update_fields=["is_active"])
    return connected


def connection_for_event(account_id: str, livemode: bool) -> StripeConnection | None:
    """Whom an incoming event is for."""
    return StripeConnection.objects.filter(
        account_id=account_id, livemode=livemode, disconnected_at__isnull=True
    ).first()


def note_webhook(connection: StripeConnection, at: datetime) -> None:
    """Remember when the last webhook came in."""
    stale = Q(last_webhook_at__isnull=True) | Q(last_webhook_at__lt=at - NOTE_EVERY)
    StripeConnection.objects.filter(stale, pk=connection.pk).update(last_webhook_at=at)


def disconnected(connection: StripeConnection, *, real_now: datetime) -> None:
    """The account no longer lets us act. Its customers stay known for the day it is connected again."""
    open_connections = StripeConnection.objects.filter(pk=connection.pk, disconnected_at__isnull=True)
    open_connections.update(disconnected_at=real_now, is_active=False)
