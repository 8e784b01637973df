"""The same verb for many invoices, one after the other: what is refused for one hinders none of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
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


Step = Callable[[str, Callable[[], str]], str]


def _directly(step: str, work: Callable[[], str]) -> str:
    return work()


def act_on_many(
    invoices: Iterable[Invoice],
    verb: InvoiceVerb,
    *,
    actor: Actor,
    reason: str,
    now: datetime,
    real_now: datetime,
    once: Step = _directly,
) -> list[Outcome]:
    """``reason`` is kept with each one that is voided. Each is a transaction of its own, so that one is never undone
    with another, and none waits for the locks of all. ``once`` takes such a step, or knows what it came to before."""
    arguments: dict[str, Any] = {"actor": actor, "now": now, "real_now": real_now}
    if verb == InvoiceVerb.VOID:
        arguments["reason"] = reason
    return [_act(invoice, partial(BULK_VERBS[verb], **arguments), once) for invoice in invoices]


def _act(invoice: Invoice, act: Callable[[Invoice], Invoice], once: Step) -> Outcome:
    def work() -> str:
        try:
            act(invoice)
        except Refused as refusal:
            return refusal.message
        return ""

    return Outcome(invoice, once(str(invoice.uuid), work))
