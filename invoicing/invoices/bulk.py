"""The same verb for many invoices, one after the other: what is refused for one hinders none of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from customers.actors import Actor
from customers.errors import Refused
from invoicing.invoices.lifecycle import approve, push, send, void
from invoicing.invoices.models import Invoice
from invoicing.invoices.verbs import InvoiceVerb

MOST = 200
"""At once, so that the answer does not keep anybody waiting for long."""

BULK_VERBS: Mapping[InvoiceVerb, Callable[..., Invoice]] = {
    InvoiceVerb.APPROVE: approve,
    InvoiceVerb.PUSH: push,
    InvoiceVerb.SEND: send,
    InvoiceVerb.VOID: void,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """``refusal`` is empty where it was done."""

    invoice: Invoice
    refusal: str = ""


def act_on_many(
    invoices: Iterable[Invoice], verb: InvoiceVerb, *, actor: Actor, reason: str, now: datetime, real_now: datetime
) -> list[Outcome]:
    """``reason`` is kept with each one that is voided. Each is a transaction of its own."""
    arguments: dict[str, Any] = {"actor": actor, "now": now, "real_now": real_now}
    if verb == InvoiceVerb.VOID:
        arguments["reason"] = reason
    return [_act(invoice, BULK_VERBS[verb], arguments) for invoice in invoices]


def _act(invoice: Invoice, act: Callable[..., Invoice], arguments: Mapping[str, Any]) -> Outcome:
    try:
        return Outcome(act(invoice, **arguments))
    except Refused as refusal:
        return Outcome(invoice, refusal.message)
