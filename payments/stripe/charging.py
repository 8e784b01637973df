"""Charging the stored payment method for an invoice that we e-mail: one payment intent, off session.

Two calls: which method is the customer's now, and the charge. The method may be another one when a lost answer
is asked for again, and a key must not come with other words, so the intent is looked for by our metadata first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from invoicing.gateways import (
    ChargeOrder,
    ChargeStatus,
    GatewayCharge,
    GatewayRejected,
    GatewayUnavailable,
)
from payments.stripe import amounts, mapping
from payments.stripe.client import AccountClient
from payments.stripe.plan import KnownMethod, method_to_charge

NOTHING_STORED = "The customer has no usable payment method in Stripe."
DELETED = "The customer was deleted in Stripe."
UNCLEAR = "Stripe refused the charge ({}) and does not say what became of it."

# The refusals that say something of the request and not of the payment: it would be refused for ever.
HOPELESS = frozenset({"amount_too_large", "amount_too_small", "invalid_amount", "invalid_charge_amount"})

JSON = dict[str, Any]


@dataclass(frozen=True)
class Charge:
    """What is to be charged, to whom, under which key."""

    client: AccountClient
    order: ChargeOrder
    customer: str
    key: str
    today: date
    known_methods: Sequence[KnownMethod]


def make(charge: Charge, *, again: bool, remember: Callable[[str], None]) -> GatewayCharge:
    if again and (earlier := _earlier(charge)):
        return _known(earlier, remember)
    try:
        amounts.check(charge.order.amount, [], charge.order.currency)
    except GatewayRejected as error:
        return impossible(error.message)
    customer = charge.client.retrieve_customer(charge.customer, expand=["invoice_settings.default_payment_method"])
    if customer.get("deleted"):
        return impossible(DELETED)
    method = method_to_charge(customer, charge.known_methods, charge.today)
    return _charged(charge, method, remember) if method else impossible(NOTHING_STORED)


def _earlier(charge: Charge) -> JSON | None:
    """Without access nobody knows, so a refusal to look is no definite answer."""
    try:
        return _find(charge)
    except GatewayRejected as error:
        raise GatewayUnavailable(error.message, code=error.code) from error


def impossible(why: str) -> GatewayCharge:
    return GatewayCharge(external_id="", status=ChargeStatus.IMPOSSIBLE, error=why)


def _charged(charge: Charge, method: str, remember: Callable[[str], None]) -> GatewayCharge:
    try:
        intent = charge.client.create_payment_intent(_params(charge, method), key=f"{charge.key}-charge")
    except GatewayRejected as refusal:
        return _after_refusal(charge, refusal, remember)
    return _known(intent, remember)


def _after_refusal(charge: Charge, refusal: GatewayRejected, remember: Callable[[str], None]) -> GatewayCharge:
    """A decline leaves an intent that says why. Without one nothing was charged, if Stripe lets us look."""
    try:
        intent = _find(charge)
    except GatewayRejected as error:
        raise GatewayUnavailable(UNCLEAR.format(refusal.message), code=refusal.code) from error
    if intent is not None:
        return _known(intent, remember)
    if refusal.code == "idempotency_error":
        raise GatewayUnavailable(UNCLEAR.format(refusal.message), code=refusal.code)
    if refusal.code in HOPELESS:
        return impossible(refusal.message)
    raise refusal


def _known(intent: JSON, remember: Callable[[str], None]) -> GatewayCharge:
    remember(intent["id"])
    return mapping.gateway_charge(intent)


def _params(charge: Charge, method: str) -> JSON:
    order = charge.order
    return {
        "amount": order.amount,
        "currency": order.currency.lower(),
        "customer": charge.customer,
        "payment_method": method,
        "confirm": True,
        "off_session": True,
        "description": f"Invoice {order.number}",
        "metadata": {
            "portal_invoice": order.invoice_uuid,
            "portal_number": order.number,
            "portal_charge": charge.key,
        },
        "expand": ["latest_charge"],
    }


def _find(charge: Charge) -> JSON | None:
    """The intent that an earlier call made; lists are up to date at once, searches are not."""
    since = int(datetime.fromisoformat(charge.order.asked_at).timestamp()) - 60
    params = {"customer": charge.customer, "created": {"gte": since}, "expand": ["data.latest_charge"]}
    made = charge.client.list_payment_intents(params)
    return next((i for i in made if (i.get("metadata") or {}).get("portal_charge") == charge.key), None)


def fetch(client: AccountClient, intent: str) -> GatewayCharge:
    return mapping.gateway_charge(client.retrieve_payment_intent(intent, expand=["latest_charge"]))
