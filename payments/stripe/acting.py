"""What is done to an invoice that exists in Stripe: charged, sent, voided, given up, paid elsewhere.

Somebody may have acted in Stripe's dashboard meanwhile, or an earlier call may have done its work before its answer
was lost. So each of these reads the present state first; what is in the wanted state already is a success, and what
can no longer be done is told as ``refused`` beside the state as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.utils import timezone

from invoicing.gateways import GatewayInvoice, GatewayRejected, Waiting
from payments.stripe import mapping, reading
from payments.stripe.client import AccountClient

JSON = dict[str, Any]

WAS_PAID = "It was paid in Stripe before."
WAS_VOIDED = "It was voided in Stripe before."
WAS_DELETED = "The draft was deleted in Stripe."


def collect(client: AccountClient, invoice: str, *, key: str, known: int, method: str) -> GatewayInvoice:
    """The last look before a charge: nothing is charged twice, whoever else is charging."""
    present, seen_at = _finalized(client, invoice, key)
    if present is None:
        return mapping.deleted_invoice(invoice)
    state = reading.read(client, present, seen_at)
    if present["status"] not in ("open", "uncollectible") or _is_under_way(present) or _attempts(state) > known:
        return state
    params: JSON = {"off_session": True, **({"payment_method": method} if method else {})}
    try:
        client.pay_invoice(invoice, params, key=f"{key}-pay")
    except GatewayRejected as error:
        after = reading.fetch(client, invoice)
        nothing_happened = after.status == state.status and len(after.payments) == len(state.payments)
        return replace(after, refused=error.message) if nothing_happened else after
    return reading.fetch(client, invoice)


def _finalized(client: AccountClient, invoice: str, key: str) -> tuple[JSON | None, datetime]:
    """Its present state; a draft is finalized first, without letting it go its own way."""
    seen_at = timezone.now()
    present = _present(client, invoice)
    if present is not None and present["status"] == "draft":
        client.finalize_invoice(invoice, {"auto_advance": False}, key=f"{key}-finalize")
        seen_at = timezone.now()
        present = _present(client, invoice)
    return present, seen_at


def _is_under_way(invoice: JSON) -> bool:
    """A customer's bank is at it: the outcome comes as news."""
    return any(intent["status"] == "processing" for intent in mapping.payment_intents(invoice))


def _attempts(state: GatewayInvoice) -> int:
    return sum(payment.waiting != Waiting.CUSTOMER for payment in state.payments)


def send(client: AccountClient, invoice: str, *, key: str) -> GatewayInvoice:
    present, seen_at = _finalized(client, invoice, key)
    if present is None:
        return replace(mapping.deleted_invoice(invoice), refused=WAS_DELETED)
    state = reading.read(client, present, seen_at)
    if present["status"] != "open":
        return replace(state, refused=f"It is {present['status']} in Stripe: there is nothing to send.")
    client.send_invoice(invoice, {}, key=f"{key}-send")
    return state


def void(client: AccountClient, invoice: str, *, key: str) -> GatewayInvoice:
    return _end(client, invoice, "void", lambda: client.void_invoice(invoice, key=f"{key}-void"))


def give_up(client: AccountClient, invoice: str, *, key: str) -> GatewayInvoice:
    """A draft is finalized first: a bad debt stays in Stripe's books as one."""
    _finalized(client, invoice, key)
    return _end(
        client, invoice, "uncollectible", lambda: client.mark_uncollectible(invoice, key=f"{key}-uncollectible")
    )


def _end(client: AccountClient, invoice: str, wanted: str, act: Callable[[], JSON]) -> GatewayInvoice:
    """To a state in which nobody collects it any more. What was never finalized is deleted instead."""
    seen_at = timezone.now()
    present = _present(client, invoice)
    if present is None:
        return mapping.deleted_invoice(invoice)
    if present["status"] == "draft":
        reading.discard(client, invoice)
        return mapping.deleted_invoice(invoice)
    if present["status"] == wanted:
        return reading.read(client, present, seen_at)
    if present["status"] in _FINISHED:
        return replace(reading.read(client, present, seen_at), refused=_FINISHED[present["status"]])
    act()
    return reading.fetch(client, invoice)


_FINISHED = {"paid": WAS_PAID, "void": WAS_VOIDED}


def mark_paid(client: AccountClient, invoice: str, *, key: str) -> GatewayInvoice:
    present, seen_at = _finalized(client, invoice, key)
    if present is None:
        return replace(mapping.deleted_invoice(invoice), refused=WAS_DELETED)
    if present["status"] == "void":
        return replace(reading.read(client, present, seen_at), refused=WAS_VOIDED)
    if present["status"] != "paid":
        client.pay_invoice(invoice, {"paid_out_of_band": True}, key=f"{key}-paid")
    return reading.fetch(client, invoice)


def _present(client: AccountClient, invoice: str) -> JSON | None:
    try:
        return client.retrieve_invoice(invoice, expand=[mapping.PAYMENTS])
    except GatewayRejected as error:
        if error.code == "resource_missing":
            return None
        raise
