"""Settings -> Invoicing & Payments: *Connect with Stripe*, out to Stripe's consent page and back.

Coming back is a GET that connects an account. What protects it is the state: random, kept in the session it was
made in, good once, for ten minutes, for one vendor and one mode.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.crypto import constant_time_compare

from billing_portal.accounts.roles import Permission
from billing_portal.portal import csp
from billing_portal.portal.access import OperatorRequest, returning, verb
from billing_portal.portal.navigation import show
from customers.errors import Refused
from invoicing.gateways import GatewayError, GatewayRejected
from payments.stripe import connect, oauth
from payments.stripe.models import StripeConnection

SESSION_KEY = "stripe_connect"
LIFETIME = timedelta(minutes=10)
SETTINGS = "portal:billing_settings"


@dataclass(frozen=True)
class Problem:
    """A page of its own: what went wrong, and what to do about it."""

    title: str
    what: str
    remedy: str
    status: int = 400


UNKNOWN = Problem(
    "This connection was not started here",
    "Stripe sent your browser back with an answer to a question that this session did not ask. Perhaps you signed "
    "in anew meanwhile, or the link was not yours.",
    "Nothing was connected. Start again from here, in this browser.",
)
EXPIRED = Problem(
    "That took too long",
    "A connection must be completed within ten minutes after it was started.",
    "Nothing was connected. Start again.",
)
REUSED = Problem(
    "This answer was used before",
    "Each visit to Stripe can be completed once. Reloading the page, or going back to it, does not repeat it.",
    "Look at the settings: if the account is not connected there, start again.",
)
OTHER_VENDOR = Problem(
    "You have changed to another vendor meanwhile",
    "The connection was started for another vendor than the one you are looking at now.",
    "Nothing was connected. Change back at the top of the page, then start again.",
)
DENIED = Problem(
    "Stripe was not connected",
    "Access was denied on Stripe's page.",
    "Nothing has changed. Start again if that was a mistake; whoever agrees needs to be an administrator of the "
    "Stripe account.",
    status=200,
)


@verb(Permission.CONNECT_STRIPE)
def start(request: OperatorRequest, mode: str) -> HttpResponse:
    livemode = mode == "live"
    if livemode and request.vendor.is_test:
        messages.error(request, "A vendor in test mode uses Stripe's test mode only.")
        return redirect(SETTINGS)
    if connected := connect.connections(request.vendor).filter(livemode=livemode).first():
        messages.error(request, f"The Stripe account {connected.account_id} is connected. Disconnect it first.")
        return redirect(SETTINGS)
    state = secrets.token_urlsafe(32)
    try:
        url = oauth.authorize_url(livemode=livemode, state=state, redirect_uri=_callback_url(request))
    except GatewayRejected as error:
        messages.error(request, error.message)
        return redirect(SETTINGS)
    request.session[SESSION_KEY] = {
        "state": state,
        "livemode": livemode,
        "vendor": request.vendor.pk,
        "until": (request.real_now + LIFETIME).timestamp(),
        "used": False,
    }
    return HttpResponseRedirect(url)


@returning(Permission.CONNECT_STRIPE)
def callback(request: OperatorRequest) -> HttpResponse:
    visit = request.session.get(SESSION_KEY) or {}
    livemode = bool(visit.get("livemode"))
    if problem := _check(request, visit, request.real_now):
        return _explain(request, problem, livemode)
    # Kept before Stripe is asked: whatever happens next, this state is used up.
    request.session[SESSION_KEY] = {**visit, "used": True}
    request.session.save()
    if "error" in request.GET:
        return _explain(request, _stripes_refusal(request), livemode)
    return _complete(request, livemode)


def _check(request: OperatorRequest, visit: dict[str, Any], real_now: datetime) -> Problem | None:
    given = request.GET.get("state", "")
    if not visit or not constant_time_compare(given, visit["state"]):
        return UNKNOWN
    if visit["used"]:
        return REUSED
    if real_now.timestamp() > visit["until"]:
        return EXPIRED
    return None if visit["vendor"] == request.vendor.pk else OTHER_VENDOR


def _stripes_refusal(request: OperatorRequest) -> Problem:
    if request.GET["error"] == "access_denied":
        return DENIED
    said = request.GET.get("error_description", "")[:300] or request.GET["error"][:100]
    return Problem(
        "Stripe refused the connection",
        f"Stripe says: {said}",
        "Nothing was connected. Whoever runs this installation can compare its client id and the redirect address "
        f"{_callback_url(request)} with what is registered in Stripe's Connect settings.",
    )


def _complete(request: OperatorRequest, livemode: bool) -> HttpResponse:
    try:
        connection = oauth.complete(
            request.vendor,
            request.GET.get("code", ""),
            livemode=livemode,
            actor=request.actor,
            real_now=request.real_now,
        )
    except GatewayError as error:
        return _explain(request, _not_redeemed(error), livemode)
    except Refused as refusal:
        return _explain(request, _not_connected(refusal, livemode), livemode)
    messages.success(request, _welcome(connection))
    return redirect(SETTINGS)


def _welcome(connection: StripeConnection) -> str:
    done = f"The Stripe account {connection.account_id} is connected in {connection.mode} mode."
    return done if connection.is_active else f"{done} Another account acts at present: use the switch to change that."


def _not_redeemed(error: GatewayError) -> Problem:
    if error.code == "invalid_grant":
        return Problem(
            "Stripe no longer accepts this answer",
            "The code that Stripe sent along was used before, is older than a few minutes, or was made for the other "
            "mode.",
            "Nothing was connected. Start again; if it happens again, the client id and the secret key of this "
            "installation belong to different modes or platforms.",
        )
    remedy = "Nothing was connected here. Start again in a minute."
    return Problem("Stripe could not complete the connection", error.message, remedy, status=502)


def _not_connected(refusal: Refused, livemode: bool) -> Problem:
    mode = "live" if livemode else "test"
    upper = mode.upper()
    remedies = {
        oauth.WrongMode.code: (
            "Stripe answered in the wrong mode",
            f"Nothing was connected. STRIPE_{upper}_CLIENT_ID and STRIPE_{upper}_SECRET_KEY of this installation "
            f"must both be those of {mode} mode.",
        ),
        oauth.ReadOnly.code: (
            "Reading alone is not enough",
            "Nothing was connected here. Invoices are made in the account, so access must be granted to read and "
            "write. Start again; if Stripe does not ask anew, remove the application in the account's dashboard first.",
        ),
        connect.ELSEWHERE: (
            "This account belongs to another vendor here",
            "Nothing was connected. Choose another account on Stripe's page, or have the account disconnected from "
            "the other vendor first.",
        ),
        connect.ANOTHER: (
            "Another account is connected",
            f"Nothing has changed. To change to the new {mode} account, disconnect the present one in the settings, "
            "then start again. Customers stay linked for the day the present one is connected again.",
        ),
    }
    title, remedy = remedies.get(refusal.code, ("The account was not connected", "Nothing was connected."))
    return Problem(title, refusal.message, remedy, status=409)


def _explain(request: OperatorRequest, problem: Problem, livemode: bool) -> HttpResponse:
    context = {"problem": problem, "mode": "live" if livemode else "test"}
    template, area = "portal/settings/connect_problem.html", "billing_settings"
    page = show(request, template, context, title=problem.title, area=area, status=problem.status)
    return leading_to_stripe(page)


def _callback_url(request: OperatorRequest) -> str:
    """Where this session is: the browser comes back to the host it left."""
    return request.build_absolute_uri(reverse("portal:stripe_callback"))


def leading_to_stripe(page: HttpResponse) -> HttpResponse:
    """Browsers hold a form to the page's ``form-action`` through redirects as well, so the pages with the button
    name Stripe's consent page there."""
    stripe = settings.STRIPE_CONNECT_BASE
    page.headers["Content-Security-Policy"] = csp.header(csp.SKINNED | {"form-action": f"'self' {stripe}"})
    return page
