"""Stripe's side: keys, accounts, and the way that webhooks take to us."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import requests
from django.conf import settings

from billing_portal.doctor.findings import Finding, fine, problem, short, warning
from invoicing.gateways import GatewayError
from payments.stripe import endpoints, secrets
from payments.stripe.client import API_VERSION, PlatformClient
from payments.stripe.models import StripeConnection

PATIENCE = 5
MODES = ((False, "test"), (True, "live"))


def keys(real_now: datetime) -> Iterator[Finding]:
    """Each key is asked whose it is."""
    needed = set(_connected().filter(secret_key="").values_list("livemode", flat=True))
    for livemode, mode in MODES:
        name = f"STRIPE_{mode.upper()}_SECRET_KEY"
        key = getattr(settings, name)
        if key and f"_{mode}_" not in key:
            yield problem(f"{name} is not a key of {mode} mode.", f"Put the sk_{mode}_... or rk_{mode}_... key there.")
        elif key:
            yield _account(name, PlatformClient(livemode))
        elif livemode in needed:
            text = f"Vendors have {mode} accounts connected, but {name} is not set: nothing of theirs goes on."
            yield problem(text, f"Set {name}.")
    own = list(_connected().exclude(secret_key=""))
    for one in own:
        yield _account(f"The key entered for {one.account_id}", PlatformClient(one.livemode, one.secret_key))
    if not own and not settings.STRIPE_TEST_SECRET_KEY and not settings.STRIPE_LIVE_SECRET_KEY:
        yield warning("No Stripe key is known.", "Set STRIPE_LIVE_SECRET_KEY, or enter an account's keys in Settings.")


def _connected() -> Any:
    return StripeConnection.objects.filter(disconnected_at__isnull=True)


def _account(name: str, client: PlatformClient) -> Finding:
    try:
        return fine(f"{name} is accepted, as {client.retrieve_account()['id']}.")
    except GatewayError as error:
        return problem(f"{name}: {error.message}", "Copy the key from Stripe's dashboard again, or mend the network.")


def webhooks(real_now: datetime) -> Iterator[Finding]:
    """For each mode that is in use: is there a secret, and does Stripe deliver here, in our version?"""
    used = {(row.livemode, row if row.secret_key else None) for row in _connected()}
    for livemode, owner in sorted(used, key=str):
        yield from _endpoint(livemode, owner, real_now)
    if not used:
        yield fine("No Stripe account is connected, so none has to deliver.")


def _endpoint(livemode: bool, owner: StripeConnection | None, real_now: datetime) -> Iterator[Finding]:
    whose = f"{owner.account_id}'s" if owner else f"the platform's {'live' if livemode else 'test'}"
    command = "manage.py stripe_webhook_endpoint" + (" --live" if livemode else "")
    command += f" --account {owner.account_id}" if owner else ""
    known = endpoints.registered(owner, livemode)
    if known is None:
        yield from _by_hand(whose, command, owner, livemode, real_now)
        return
    try:
        found = PlatformClient(livemode, owner.secret_key if owner else "").retrieve_webhook_endpoint(known.endpoint_id)
    except GatewayError as error:
        yield problem(f"Stripe does not show {whose} webhook endpoint: {error.message}", f"Run `{command}`.")
        return
    yield from _registered(found, whose, command)


def _by_hand(
    whose: str, command: str, owner: StripeConnection | None, livemode: bool, real_now: datetime
) -> Iterator[Finding]:
    entered = secrets.valid(real_now).filter(connection=owner, livemode=livemode).exists()
    if entered or (owner is None and settings.STRIPE_WEBHOOK_SECRETS):
        yield fine(f"There is a secret for {whose} webhooks; its endpoint was not registered from here.")
    else:
        yield problem(f"There is no secret for {whose} webhooks: all are refused.", f"Run `{command}`.")


def _registered(found: dict[str, Any], whose: str, command: str) -> Iterator[Finding]:
    if found["status"] != "enabled":
        yield problem(f"Stripe has switched {whose} webhook endpoint off.", f"Run `{command}`.")
    elif found["url"] != endpoints.our_url():
        yield warning(f"Stripe delivers to {found['url']}, which is not {endpoints.our_url()}.", f"Run `{command}`.")
    elif found.get("api_version") != API_VERSION:
        text = f"Stripe writes webhooks in version {found.get('api_version')}; this release is for {API_VERSION}."
        yield warning(text, f"Run `{command}`.")
    else:
        yield fine(f"Stripe delivers {whose} webhooks to {found['url']}.")


def way_in(real_now: datetime) -> Iterator[Finding]:
    """From this host the address may lead elsewhere than from the internet; mostly it does not."""
    url = f"{settings.PUBLIC_URL.rstrip('/')}/readyz"
    remedy = (
        "Start the web servers; see that the proxy passes this host on with X-Forwarded-Proto, and its certificate."
    )
    try:
        status = requests.get(url, timeout=PATIENCE, allow_redirects=False).status_code
    except requests.RequestException as error:
        yield problem(f"{url} does not answer: {short(error)}", remedy)
        return
    yield fine(f"{url} answers.") if status == 200 else problem(f"{url} answers {status}.", remedy)
