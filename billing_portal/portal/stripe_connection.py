"""The buttons of the Stripe card: which account acts, does it work, and disconnect it."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect

from billing_portal.accounts.roles import Permission
from billing_portal.portal.access import OperatorRequest, verb
from customers.errors import Refused
from invoicing.gateways import GatewayError
from payments.stripe import connect, endpoints, oauth
from payments.stripe.models import StripeConnection

SETTINGS = "portal:billing_settings"


@verb(Permission.CHANGE_SETTINGS)
def try_connection(request: OperatorRequest, mode: str = "") -> HttpResponse:
    """Ask Stripe for the connected account, and say what came of it."""
    try:
        connection = _connected(request, mode) if mode else connect.required_connection(request.vendor)
        messages.success(request, connect.describe_account(connection, real_now=request.real_now))
    except Refused as refusal:
        messages.error(request, refusal.message)
    except GatewayError as error:
        messages.error(request, f"The connection does not work. {error.message}")
    return redirect(SETTINGS)


@verb(Permission.CONNECT_STRIPE)
def switch(request: OperatorRequest, mode: str) -> HttpResponse:
    livemode = mode == "live"
    try:
        acting = connect.switch(request.vendor, livemode=livemode, actor=request.actor, real_now=request.real_now)
        messages.success(request, f"The Stripe account {acting.account_id} in {mode} mode acts from now on.")
    except Refused as refusal:
        messages.error(request, refusal.message)
    return redirect(SETTINGS)


@verb(Permission.CONNECT_STRIPE)
def disconnect(request: OperatorRequest, mode: str) -> HttpResponse:
    connection = _connected(request, mode)
    try:
        oauth.disconnect(connection, actor=request.actor, real_now=request.real_now)
        messages.success(request, f"The Stripe account {connection.account_id} is disconnected.")
    except Refused as refusal:
        messages.error(request, refusal.message)
    return redirect(SETTINGS)


@verb(Permission.CONNECT_STRIPE)
def register_endpoint(request: OperatorRequest, mode: str) -> HttpResponse:
    """The endpoint of an account with keys of its own; the platform's, for whoever runs the installation."""
    connection = _connected(request, mode)
    own = connection if connection.uses_own_keys else None
    if own is None and not request.user.is_superuser:
        raise PermissionDenied("The platform's webhook endpoint is registered by whoever runs this installation.")
    try:
        made = endpoints.register(own, livemode=mode == "live", actor=request.actor, real_now=request.real_now)
        messages.success(request, f"Stripe delivers to {made.url}, with the events we handle.")
    except GatewayError as error:
        messages.error(request, f"The webhook endpoint was not registered. {error.message}")
    return redirect(SETTINGS)


def _connected(request: OperatorRequest, mode: str) -> StripeConnection:
    found = connect.connections(request.vendor).filter(livemode=mode == "live").select_related("vendor").first()
    if found is None:
        raise Http404(f"No Stripe account is connected in {mode} mode.")
    return found
