"""Invoices as they are at Stripe now, and taking back those that are only drafts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone

from invoicing.gateways import GatewayInvoice, GatewayPayment, GatewayRejected, GatewayUnavailable, InvoiceOrder
from payments.stripe import mapping
from payments.stripe.client import AccountClient

JSON = dict[str, Any]

CUSTOMER = ["customer", "customer.invoice_settings.default_payment_method"]
UNREADABLE = "Stripe refused a step ({refusal}) and does not show the invoice either: nobody knows what became of it."


def fetch(client: AccountClient, external_id: str) -> GatewayInvoice:
    """The present state, with every attempt to pay it."""
    seen_at = timezone.now()
    return read(client, client.retrieve_invoice(external_id, expand=[mapping.PAYMENTS]), seen_at)


def read(client: AccountClient, invoice: JSON, seen_at: datetime) -> GatewayInvoice:
    """An invoice that was retrieved with its payments, and every attempt to pay it."""
    return mapping.gateway_invoice(invoice, payments=payments_of(client, invoice), seen_at=seen_at)


def payments_of(client: AccountClient, invoice: JSON) -> list[GatewayPayment]:
    """Oldest first. A payment intent without a charge was never attempted and costs no call."""
    intents = mapping.payment_intents(invoice)
    tried = [intent for intent in intents if intent.get("latest_charge")]
    made = [mapping.payment_of_charge(charge) for intent in tried for charge in client.list_charges(intent["id"])]
    # A person who pays at this moment is asked by their bank too: only after an attempt without them does it wait.
    held = [intent for intent in intents if intent["status"] == "requires_action" and invoice["attempted"]]
    in_order = sorted(made, key=lambda payment: (payment.occurred_at, payment.external_id))
    return [*in_order, *(mapping.awaiting_customer(intent) for intent in held)]


def find(client: AccountClient, order: InvoiceOrder, customer: str, since: datetime) -> JSON | None:
    """The invoice made for this order by a run whose idempotency key Stripe may have forgotten."""
    made = client.list_invoices(
        {"customer": customer, "created": {"gte": int(since.timestamp())}, "expand": [f"data.{e}" for e in CUSTOMER]}
    )
    ours = (i for i in made if (i.get("metadata") or {}).get("portal_invoice") == order.invoice_uuid)
    return next((i for i in ours if i["status"] != "void"), None)


def discard(client: AccountClient, invoice: str) -> None:
    """Delete a draft. That it is gone already is success; that Stripe is out of reach is not."""
    try:
        client.delete_draft(invoice)
    except GatewayRejected as error:
        if error.code != "resource_missing":
            raise


def discard_after(client: AccountClient, invoice: str, refusal: GatewayRejected) -> None:
    """Leave nothing behind a refusal. A draft that cannot be deleted keeps the attempt under way, so that the
    same draft is taken up again and there is never a second one."""
    try:
        discard(client, invoice)
    except GatewayRejected as error:
        raise unreadable(refusal) from error


def despite(client: AccountClient, invoice: str, refusal: GatewayRejected) -> JSON:
    """The invoice after a step was refused that may have been carried out all the same. A refusal counts as
    definite only once the invoice was read again: without access nobody knows."""
    try:
        return client.retrieve_invoice(invoice, expand=[mapping.PAYMENTS])
    except GatewayRejected as error:
        raise unreadable(refusal) from error


def unreadable(refusal: GatewayRejected) -> GatewayUnavailable:
    return GatewayUnavailable(UNREADABLE.format(refusal=refusal.message), code=refusal.code)
