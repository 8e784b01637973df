"""Giving money back: which payment of the invoice it is taken from, and never twice."""

from __future__ import annotations

from typing import Any

from invoicing.gateways import GatewayRefund, GatewayRejected
from payments.stripe import mapping
from payments.stripe.client import AccountClient

JSON = dict[str, Any]

NOT_IN_ONE = "No single payment of the invoice still has that much. Refund it in smaller parts."


def make(client: AccountClient, invoice: str, amount: int, *, reference: str, key: str) -> GatewayRefund:
    """A refund that an earlier, lost call made is found by our id; Stripe forgets keys after a day."""
    intents = [intent for intent in _intents(client, invoice) if intent["status"] == "succeeded"]
    made = {intent["id"]: client.list_refunds({"payment_intent": intent["id"]}) for intent in intents}
    if earlier := _earlier(made, reference):
        return mapping.gateway_refund(earlier)
    params = {
        "payment_intent": _with_enough(intents, made, amount),
        "amount": amount,
        "metadata": {"portal_refund": reference},
    }
    return mapping.gateway_refund(client.create_refund(params, key=key))


def _intents(client: AccountClient, paid: str) -> list[Any]:
    """Of an invoice, or the one that we charged ourselves."""
    if paid.startswith("pi_"):
        return [client.retrieve_payment_intent(paid)]
    return list(mapping.payment_intents(client.retrieve_invoice(paid, expand=[mapping.PAYMENTS])))


def _earlier(made: dict[str, list[JSON]], reference: str) -> JSON | None:
    refunds = (refund for some in made.values() for refund in some)
    return next((r for r in refunds if (r.get("metadata") or {}).get("portal_refund") == reference), None)


def _with_enough(intents: list[Any], made: dict[str, list[JSON]], amount: int) -> str:
    for intent in intents:
        back = sum(refund["amount"] for refund in made[intent["id"]] if refund["status"] not in ("failed", "canceled"))
        if intent["amount_received"] - back >= amount:
            return str(intent["id"])
    raise GatewayRejected(NOT_IN_ONE, code="refund_too_large")
