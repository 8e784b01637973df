"""Connect with Stripe: OAuth, from the link a person follows to the account it leads to, and back out again.

The tokens that Stripe hands out are not kept: the platform's own key acts for the account.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from customers.actors import Actor
from customers.errors import Busy, Conflict, Refused
from customers.vendor import Vendor
from invoicing.gateways import GatewayError, GatewayRejected, GatewayUnavailable
from invoicing.invoices.waiting import NOT_CONNECTED
from payments.stripe import connect, endpoints, standing
from payments.stripe.client import PlatformClient, client_for
from payments.stripe.models import StripeConnection

logger = logging.getLogger(__name__)

SCOPE = "read_write"
UNDONE = "The access that was granted just now was given back."


@dataclass(frozen=True)
class Granted:
    account_id: str
    livemode: bool
    scope: str


class WrongMode(Conflict):
    """The answer is of the other mode: keys and client ids are mixed up."""

    code = "wrong_mode"


class ReadOnly(Conflict):
    code = "read_only"


def missing_settings(livemode: bool) -> list[str]:
    """What must be in the environment before accounts of that mode can be connected."""
    mode = "LIVE" if livemode else "TEST"
    names = (f"STRIPE_{mode}_SECRET_KEY", f"STRIPE_{mode}_CLIENT_ID")
    return [name for name in names if not getattr(settings, name)]


def authorize_url(*, livemode: bool, state: str, redirect_uri: str) -> str:
    """Where the browser is sent. Raises ``GatewayRejected`` where the environment lacks a key or client id."""
    params = {"response_type": "code", "scope": SCOPE, "state": state, "redirect_uri": redirect_uri}
    return PlatformClient(livemode).authorize_url(params)


def complete(vendor: Vendor, code: str, *, livemode: bool, actor: Actor, real_now: datetime) -> StripeConnection:
    """Redeem the code that Stripe sent along and connect the account it stands for.

    It acts at once where nothing else acts; beside an account that acts it stands by. Raises
    ``GatewayRejected`` (``invalid_grant``: the code is used or too old), ``GatewayUnavailable``, ``WrongMode``,
    ``ReadOnly``, and ``Conflict`` as ``connect.attach`` does. Access that was granted for nothing is given back,
    unless somebody here uses the account already.
    """
    granted = _redeem(code, livemode)
    try:
        _check(granted, livemode)
        made = connect.attach(vendor, granted.account_id, livemode=livemode, real_now=real_now, actor=actor, act=False)
    except Refused as refusal:
        if _undo(granted, livemode):
            refusal.message = f"{refusal.message} {UNDONE}"
        raise
    # Connected is connected: its name can be asked for again.
    with suppress(GatewayError):
        connect.probe(made, real_now=real_now)
    return made


def _check(granted: Granted, livemode: bool) -> None:
    if granted.livemode != livemode:
        raise WrongMode(f"Stripe answered in {_mode(granted.livemode)} mode, but {_mode(livemode)} mode was asked for.")
    if granted.scope != SCOPE:
        raise ReadOnly(f"The account {granted.account_id} was connected for reading only.")


def _undo(granted: Granted, livemode: bool) -> bool:
    """Give back what was granted a moment ago. Stripe knows one grant of an account to an application, whoever asked
    for it, so a vendor who is connected with the account, in whichever mode, would lose it too."""
    if StripeConnection.objects.filter(account_id=granted.account_id, disconnected_at__isnull=True).exists():
        return False
    try:
        PlatformClient(livemode).deauthorize(granted.account_id)
    except GatewayError as error:
        logger.warning("The access to %s could not be given back: %s", granted.account_id, error.message)
        return False
    return True


def _redeem(code: str, livemode: bool) -> Granted:
    answer = PlatformClient(livemode).exchange_code(code)
    return Granted(answer["stripe_user_id"], bool(answer["livemode"]), answer.get("scope") or "")


def _mode(livemode: bool) -> str:
    return "live" if livemode else "test"


def disconnect(connection: StripeConnection, *, actor: Actor, real_now: datetime) -> None:
    """Give the access back at Stripe, then close our connection. Keys of the vendor's own are forgotten.

    Raises ``Busy`` where Stripe is out of reach, ``Conflict`` with Stripe's reason; nothing has changed then.
    """
    asked = StripeConnection.objects.filter(pk=connection.pk, disconnected_at__isnull=True)
    if not asked.update(disconnect_asked_by=actor.label):
        raise Conflict("The account is not connected any more.")
    if connection.uses_own_keys:
        endpoints.forget(connection)
    else:
        _give_back(connection)
    standing.ended(connection, real_now=real_now, actor=actor)


def _give_back(connection: StripeConnection) -> None:
    try:
        PlatformClient(connection.livemode).deauthorize(connection.account_id)
    except GatewayUnavailable as error:
        _stay(connection)
        raise Busy(f"{error.message} The account is still connected. Try again in a minute.") from error
    except GatewayRejected as error:
        if not _is_given_back(connection):
            _stay(connection)
            raise Conflict(f"{error.message} The account is still connected.") from error


def _is_given_back(connection: StripeConnection) -> bool:
    """A refusal may mean that somebody was faster, in Stripe's dashboard, or that our own settings are wrong."""
    try:
        client_for(connection).retrieve_account()
    except GatewayUnavailable as error:
        return error.code == NOT_CONNECTED
    except GatewayRejected:
        return False
    return False


def _stay(connection: StripeConnection) -> None:
    StripeConnection.objects.filter(pk=connection.pk).update(disconnect_asked_by="")
