"""Asking for an object as if Stripe had just told us of it.

Whoever finds that something is out of step (the comparison, the watch over stuck objects) changes nothing
itself: it hands the object to the very function that news of it would have gone to.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from payments.stripe.handlers import handler_for
from payments.stripe.models import StripeConnection, StripeEvent

JSON = dict[str, Any]


def news(kind: str, subject: Mapping[str, Any]) -> JSON:
    """The news that would have told of ``subject``: only its ids are ever used."""
    return {"type": kind, "object": dict(subject)}


def invoice_news(external_id: str) -> JSON:
    return news("invoice.updated", {"id": external_id, "object": "invoice"})


def refund_news(external_id: str) -> JSON:
    return news("refund.updated", {"id": external_id, "object": "refund"})


def dispute_news(external_id: str) -> JSON:
    return news("charge.dispute.updated", {"id": external_id, "object": "dispute"})


def charge_news(external_id: str) -> JSON:
    """Of a payment intent that we made ourselves; the mark says that much, Stripe is asked which."""
    marked = {"portal_charge": "asked for"}
    return news("payment_intent.succeeded", {"id": external_id, "object": "payment_intent", "metadata": marked})


def customer_news(external_id: str) -> JSON:
    return news("customer.updated", {"id": external_id, "object": "customer"})


def look(connection: StripeConnection, told: Mapping[str, Any], *, real_now: datetime) -> str:
    """Fetch the object and apply its present state. Answers why nothing was done, or "".

    Raises what the handlers raise: ``GatewayError``, and ``news.Wait`` while our own record is being written.
    """
    handler, subject = handler_for(told["type"]), told["object"]
    if handler is None:
        raise ValueError(f"Nothing looks at {told['type']}.")
    event = StripeEvent(
        vendor_id=connection.vendor_id,
        account_id=connection.account_id,
        livemode=connection.livemode,
        type=told["type"],
        object_type=subject["object"],
        object_id=subject["id"],
        body={"data": {"object": subject}},
        received_at=real_now,
    )
    return handler(connection, [event], real_now)
