"""What a customer is handed to look after its payment methods: a secret for a page of the vendor's own, a page of
Stripe's that saves a card, and Stripe's billing portal. Each is made when it is asked for and kept nowhere."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from customers.actors import Actor
from customers.customer import Customer
from customers.errors import Conflict
from invoicing.gateways import GatewayRejected
from payments.stripe import mapping
from payments.stripe.client import client_for
from payments.stripe.connect import required_connection
from payments.stripe.methods import credential, look_after
from payments.stripe.models import StripeConnection, StripeCustomer
from payments.stripe.refusals import in_words

NO_COUNTERPART = "The customer has no Stripe customer. Generate or link one under Integrations -> Payments."
STILL_MADE = "The Stripe customer is being made. Ask again in a minute."


@dataclass(frozen=True)
class Link:
    """A page of Stripe's. The address is all that somebody needs to use it: it goes to the customer only."""

    url: str
    expires_at: datetime | None = None


@dataclass(frozen=True)
class SetupSecret:
    """What Stripe.js needs on the vendor's own page to save a payment method."""

    publishable_key: str
    client_secret: str
    account_id: str


def setup_secret(customer: Customer, *, actor: Actor, real_now: datetime) -> SetupSecret:
    """A setup intent; the payment method it saves becomes the default. Raises ``Conflict``, ``Busy``."""
    row = _linked(customer)
    key = publishable_key(row.connection)
    params = {"customer": row.external_id, "usage": "off_session", "metadata": marks(row)}
    with _noticing(row, actor, real_now):
        made = client_for(row.connection).create_setup_intent(params, key=_key("setup-intent", row))
    return SetupSecret(key, made["client_secret"], row.connection.account_id)


def card_link(customer: Customer, *, actor: Actor, real_now: datetime) -> Link:
    """A Checkout page that saves a card, which becomes the default. Raises ``Conflict``, ``Busy``."""
    row = _linked(customer)
    params = {
        "mode": "setup",
        "customer": row.external_id,
        "currency": (customer.currency or customer.vendor.currency).lower(),
        "success_url": address_of("payment-method-saved"),
        "cancel_url": address_of("payment-method-unchanged"),
        "metadata": marks(row),
        "setup_intent_data": {"metadata": marks(row)},
    }
    with _noticing(row, actor, real_now):
        made = client_for(row.connection).create_checkout_session(params, key=_key("checkout", row))
    return Link(made["url"], mapping.moment(made["expires_at"]))


def portal_link(customer: Customer, *, actor: Actor, real_now: datetime) -> Link:
    """Stripe's billing portal, signed in as the customer, for a short while. Raises ``Conflict``, ``Busy``."""
    row = _linked(customer)
    params = {"customer": row.external_id, "return_url": address_of("payment-method-unchanged")}
    with _noticing(row, actor, real_now):
        made = client_for(row.connection).create_portal_session(params, key=_key("portal", row))
    return Link(made["url"])


def marks(row: StripeCustomer) -> dict[str, str]:
    """By these the news of what was saved is known to be ours."""
    return {"portal_customer": str(row.customer_id), "portal_purpose": "save_payment_method"}


def is_ours(thing: dict[str, Any], row: StripeCustomer) -> bool:
    return marks(row).items() <= (thing.get("metadata") or {}).items()


def publishable_key(connection: StripeConnection) -> str:
    """The account's own where it has one, else the platform's; with a secret key of its own there is no platform."""
    own: str = getattr(connection, "publishable_key", "")
    if connection.uses_own_keys and not own:
        raise Conflict(
            "Stripe.js needs the account's publishable key. Enter it beside the secret key, in the settings."
        )
    platform: str = (
        settings.STRIPE_LIVE_PUBLISHABLE_KEY if connection.livemode else settings.STRIPE_TEST_PUBLISHABLE_KEY
    )
    if not (own or platform):
        name = "STRIPE_LIVE_PUBLISHABLE_KEY" if connection.livemode else "STRIPE_TEST_PUBLISHABLE_KEY"
        raise Conflict(f"Stripe.js needs a publishable key. Set {name} in the installation's environment.")
    return own or platform


def address_of(page: str) -> str:
    return f"{settings.PUBLIC_URL.rstrip('/')}{reverse(page)}"


def _linked(customer: Customer) -> StripeCustomer:
    required_connection(customer.vendor)
    row = credential(customer)
    if row is not None and row.state == StripeCustomer.State.PENDING:
        raise Conflict(STILL_MADE)
    if row is None or row.state != StripeCustomer.State.LINKED:
        raise Conflict(row.last_error if row and row.last_error else NO_COUNTERPART, code="no_stripe_customer")
    return row


@contextmanager
def _noticing(row: StripeCustomer, actor: Actor, real_now: datetime) -> Iterator[None]:
    """A customer that was deleted in Stripe is marked, and said to be."""
    with in_words():
        try:
            yield
        except GatewayRejected as error:
            look_after(error, row, actor=actor, real_now=real_now)
            raise


def _key(what: str, row: StripeCustomer) -> str:
    """Each asking makes one of its own; the key serves the SDK's own retries."""
    return f"{what}-{row.pk}-{uuid.uuid4().hex}"
