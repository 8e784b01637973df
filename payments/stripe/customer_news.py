"""News of customers and of what they can be charged with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from customers.actors import STRIPE
from customers.settings.policy import policy_for
from payments.stripe import methods
from payments.stripe.client import client_for
from payments.stripe.customer_links import is_ours
from payments.stripe.methods import Choice
from payments.stripe.models import StripeConnection, StripeCustomer, StripeEvent, StripePaymentMethod
from payments.stripe.news import mapping_of, subject

FOREIGN_CUSTOMER = "The Stripe customer is not linked to a customer of ours."
NOTHING_SAVED = "No payment method was saved."


def look_at_customer(connection: StripeConnection, events: Sequence[StripeEvent], real_now: datetime) -> str:
    return _refresh(_linked(connection, events[-1].object_id), real_now)


def look_at_method(connection: StripeConnection, events: Sequence[StripeEvent], real_now: datetime) -> str:
    owners = {owner for event in events if (owner := _owner(connection, event))}
    known = [row for owner in sorted(owners) if (row := _linked(connection, owner))]
    if not known:
        return FOREIGN_CUSTOMER
    for row in known:
        choice = _newest(row, events)
        _refresh(row, real_now, choice)
        if choice is not None:
            row.payment_methods.update(had_its_turn=True)
    return ""


def look_at_setup_intent(connection: StripeConnection, events: Sequence[StripeEvent], real_now: datetime) -> str:
    row = _linked(connection, _customer_of(events[-1]))
    if row is None:
        return FOREIGN_CUSTOMER
    return _adopt(row, client_for(connection).retrieve_setup_intent(events[-1].object_id), real_now)


def look_at_checkout(connection: StripeConnection, events: Sequence[StripeEvent], real_now: datetime) -> str:
    """Its setup intent tells the same; whichever is heard of first counts."""
    row = _linked(connection, _customer_of(events[-1]))
    if row is None:
        return FOREIGN_CUSTOMER
    client = client_for(connection)
    session = client.retrieve_checkout_session(events[-1].object_id, expand=["setup_intent"])
    return _adopt(row, session.get("setup_intent") or {}, real_now)


def _adopt(row: StripeCustomer, intent: dict[str, Any], real_now: datetime) -> str:
    """What a customer saved on a page of ours is what they want to be charged with."""
    saved = intent.get("payment_method")
    if intent.get("status") != "succeeded" or not saved:
        return NOTHING_SAVED
    if not is_ours(intent, row) or _had_its_turn(row, saved):
        return _refresh(row, real_now)
    reason = _refresh(row, real_now, _chosen(saved, f"saved-{intent['id']}"))
    row.payment_methods.filter(external_id=saved).update(had_its_turn=True)
    return reason


def _had_its_turn(row: StripeCustomer, method: str) -> bool:
    return row.payment_methods.filter(external_id=method, had_its_turn=True).exists()


def _chosen(saved: str, key: str) -> Choice:
    """Unless it is gone, or something saved later is the default by now."""

    def choice(found: Sequence[dict[str, Any]], default: str) -> tuple[str, str] | None:
        # Stripe lists the newest first, which decides between those of one second.
        age = {method["id"]: (-(method.get("created") or 0), place) for place, method in enumerate(found)}
        if saved not in age or (default in age and age[default] < age[saved]):
            return None
        return saved, key

    return choice


def _newest(row: StripeCustomer, events: Sequence[StripeEvent]) -> Choice | None:
    """Where settings say so, the newest method that is attached now becomes the default, whatever event is first."""
    attached = next((event for event in reversed(events) if event.type == "payment_method.attached"), None)
    if attached is None or not policy_for(row.customer).auto_update_stripe_default_payment_method:
        return None

    def choice(found: Sequence[dict[str, Any]], default: str) -> tuple[str, str] | None:
        newest = max(found, key=lambda method: method.get("created") or 0, default=None)
        if newest is None or _had_its_turn(row, newest["id"]):
            return None
        return newest["id"], f"default-{attached.event_id}-{newest['id']}"

    return choice


def _linked(connection: StripeConnection, external_id: str) -> StripeCustomer | None:
    rows = StripeCustomer.objects.of(connection.vendor).select_related("connection", "customer__vendor")
    return rows.filter(connection=connection, external_id=external_id, state=StripeCustomer.State.LINKED).first()


def _refresh(row: StripeCustomer | None, real_now: datetime, choice: Choice | None = None) -> str:
    if row is None:
        return FOREIGN_CUSTOMER
    methods.refresh(row, actor=STRIPE, real_now=real_now, choice=choice)
    return ""


def _customer_of(event: StripeEvent) -> str:
    customer = subject(event).get("customer")
    return customer if isinstance(customer, str) else ""


def _owner(connection: StripeConnection, event: StripeEvent) -> str:
    """A detached method names no customer any more; who had it is told beside it, or known here."""
    before = mapping_of(mapping_of(event.body.get("data")).get("previous_attributes"))
    owner = subject(event).get("customer") or before.get("customer")
    if isinstance(owner, str):
        return owner
    kept = StripePaymentMethod.objects.filter(
        external_id=event.object_id, stripe_customer__connection=connection
    ).select_related("stripe_customer")
    return next((method.stripe_customer.external_id for method in kept), "")
