"""A vendor's own keys, for an installation that is no Connect platform. Checked with Stripe before they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from customers.actors import Actor
from customers.errors import Busy, Invalid
from customers.vendor import Vendor
from invoicing.gateways import GatewayRejected, GatewayUnavailable
from payments.stripe import connect, secrets
from payments.stripe.client import JSON, PlatformClient
from payments.stripe.models import StripeConnection

UNKNOWN_KEY = "Stripe does not know this secret key. Copy it again from Stripe's dashboard, under Developers."
TOO_NARROW = (
    "This restricted key may not read the account. Give it read access to Accounts, and write access to Customers, "
    "Invoices, Payment methods, Charges, Credit notes, Tax rates and Webhook endpoints."
)


@dataclass(frozen=True)
class Entered:
    """``webhook_secret`` may be empty: the endpoint can be registered from here. So may ``publishable_key``, which
    only Stripe.js on a page of the vendor's needs; one that is known already stays then."""

    secret_key: str
    publishable_key: str = ""
    webhook_secret: str = ""


def connect_with(
    vendor: Vendor, entered: Entered, *, livemode: bool, actor: Actor, real_now: datetime, account_id: str = ""
) -> StripeConnection:
    """Connect the account that the keys belong to, or change the keys it is connected with.

    ``account_id``, if given, must be the account they belong to. Raises ``Invalid`` for a key of another kind or
    mode and for one that Stripe does not accept, ``Busy`` where Stripe is out of reach, and ``Conflict`` as
    ``connect.attach`` does. Nothing is kept then.
    """
    _check(entered, livemode)
    account = _ask(entered.secret_key, livemode)
    if account_id not in ("", account["id"]):
        raise Invalid({"account_id": f"The key belongs to {account['id']}. Leave this out, or give that one."})
    known = connect.connections(vendor).filter(livemode=livemode, account_id=account["id"]).first()
    publishable = entered.publishable_key or (known.publishable_key if known else "")
    keys = connect.Keys(entered.secret_key, publishable)
    with transaction.atomic():
        connection = connect.attach(
            vendor, account["id"], livemode=livemode, real_now=real_now, actor=actor, keys=keys, act=False
        )
        connection.account_name = connect.name_of(account)
        connection.save(update_fields=["account_name"])
        if entered.webhook_secret:
            secrets.replace_entered(connection, entered.webhook_secret, real_now=real_now)
    return connection


def mode_of(secret_key: str) -> bool | None:
    """Whether a key is one of live mode; None for what is no secret key."""
    for livemode, mode in ((True, "live"), (False, "test")):
        if secret_key.startswith((f"sk_{mode}_", f"rk_{mode}_")):
            return livemode
    return None


def _check(entered: Entered, livemode: bool) -> None:
    mode = "live" if livemode else "test"
    rules = (
        ("secret_key", entered.secret_key, (f"sk_{mode}_", f"rk_{mode}_"), f"A secret key of {mode} mode"),
        (
            "publishable_key",
            entered.publishable_key or f"pk_{mode}_",
            (f"pk_{mode}_",),
            f"A publishable key of {mode} mode",
        ),
        ("webhook_secret", entered.webhook_secret or "whsec_", ("whsec_",), "A webhook endpoint's signing secret"),
    )
    problems = {
        field: f"{what} starts with {' or '.join(beginnings)}."
        for field, value, beginnings, what in rules
        if not value.startswith(beginnings)
    }
    if problems:
        raise Invalid(problems)


def _ask(secret_key: str, livemode: bool) -> JSON:
    try:
        return PlatformClient(livemode, secret_key).retrieve_account()
    except GatewayUnavailable as error:
        raise Busy(f"{error.message} Nothing was saved. Try again in a minute.") from error
    except GatewayRejected as error:
        raise Invalid({"secret_key": _why_refused(error)}) from error


def _why_refused(error: GatewayRejected) -> str:
    if error.code == "authentication_error":
        return UNKNOWN_KEY
    is_too_narrow = error.code == "permission_error" or error.code.startswith("more_permissions_required")
    return TOO_NARROW if is_too_narrow else error.message
