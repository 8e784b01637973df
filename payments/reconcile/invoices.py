"""Do Stripe's invoices agree with ours?"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from customers.money import format_money
from invoicing.gateways import GatewayStatus
from invoicing.invoices.models import AttemptState, Channel, Invoice, IssueAttempt
from invoicing.invoices.states import BEFORE_ISSUE, OPEN, InvoiceAction, InvoiceStatus
from payments.reconcile.findings import Bucket, Findings, Found, Kind, Share
from payments.reconcile.look import invoice_news
from payments.reconcile.models import ImportedInvoice, SeenInvoice
from payments.stripe import mapping
from payments.stripe.models import StripeConnection, StripeEvent

JSON = dict[str, Any]
S = InvoiceStatus

AGREES: Mapping[GatewayStatus, frozenset[InvoiceStatus]] = {
    GatewayStatus.DRAFT: OPEN,
    GatewayStatus.OPEN: OPEN,
    GatewayStatus.PAID: frozenset({S.PAID}),
    GatewayStatus.VOID: frozenset({S.VOIDED}),
    GatewayStatus.UNCOLLECTIBLE: frozenset({S.UNCOLLECTIBLE}),
}
KIND_OF: Mapping[GatewayStatus, Kind] = {
    GatewayStatus.DRAFT: Kind.INVOICE_OPEN,
    GatewayStatus.OPEN: Kind.INVOICE_OPEN,
    GatewayStatus.PAID: Kind.INVOICE_PAID,
    GatewayStatus.VOID: Kind.INVOICE_VOIDED,
    GatewayStatus.UNCOLLECTIBLE: Kind.INVOICE_UNCOLLECTIBLE,
}
# Our own next step is to tell Stripe: until then both are right.
OWN_STEP = {InvoiceAction.VOID_AT_GATEWAY, InvoiceAction.MARK_PAID_AT_GATEWAY}

STILL_OPEN = "Void it or mark it as paid in Stripe, or collect it there: what was closed here stays closed."
EDITED = "The invoice was edited in Stripe. If Stripe's amount is right, put the rest on the next invoice here."
TWICE = "Void it in Stripe if it should not be paid: this invoice is already recorded with the other one."
NOT_ISSUED = "Void it in Stripe, then issue the invoice again from here; or leave it and void the invoice here."
ELSEWHERE = "Its invoice was deleted here, or it was made by another installation that uses the same account."


@dataclass(frozen=True)
class Ours:
    """What we hold of a page of Stripe invoices, read with four queries."""

    by_external: Mapping[str, Invoice]
    by_uuid: Mapping[str, Invoice]
    imported: Mapping[str, ImportedInvoice]
    at_work: frozenset[str]
    being_issued: frozenset[int]


def compare(connection: StripeConnection, theirs: Sequence[JSON]) -> Findings:
    ours, result = _ours(connection, theirs), Findings(objects=len(theirs))
    for invoice in theirs:
        mine, share, found = _one(invoice, ours)
        if invoice["id"] not in ours.at_work:
            result.looked.append(invoice["id"])
            result.found += found
        if invoice["status"] in ("open", "uncollectible"):
            result.money.add(invoice["currency"], Bucket.OPEN, share, invoice["amount_remaining"])
        seen = SeenInvoice(external_id=invoice["id"], payment_intent=payment_intent(invoice))
        seen.is_ours, seen.differs = mine is not None, bool(found)
        seen.is_imported = invoice["id"] in ours.imported
        result.seen.append(seen)
    return result


def _ours(connection: StripeConnection, theirs: Sequence[JSON]) -> Ours:
    ids, named = [invoice["id"] for invoice in theirs], {name for i in theirs if (name := named_in(i))}
    rows = Invoice.objects.of(connection.vendor).filter(Q(external_invoice_id__in=ids) | Q(uuid__in=named))
    mine = list(rows.select_related("customer"))
    copies = ImportedInvoice.objects.filter(connection=connection, external_id__in=ids)
    pending = StripeEvent.objects.filter(
        account_id=connection.account_id, object_id__in=ids, state=StripeEvent.State.PENDING
    )
    attempts = IssueAttempt.objects.filter(
        invoice__in=[i.pk for i in mine],
        channel=Channel.GATEWAY,
        state__in=(AttemptState.SENDING, AttemptState.UNKNOWN),
    )
    return Ours(
        by_external={i.external_invoice_id: i for i in mine if i.external_invoice_id},
        by_uuid={str(i.uuid): i for i in mine},
        imported={i.external_id: i for i in copies},
        at_work=frozenset(pending.values_list("object_id", flat=True)),
        being_issued=frozenset(attempts.values_list("invoice_id", flat=True)),
    )


def named_in(thing: Mapping[str, Any]) -> str:
    """The invoice of ours that an object's metadata names."""
    try:
        return str(uuid.UUID((thing.get("metadata") or {}).get("portal_invoice", "")))
    except (AttributeError, TypeError, ValueError):
        return ""


def payment_intent(invoice: JSON) -> str:
    for entry in (invoice.get("payments") or {}).get("data") or []:
        intent = entry["payment"].get("payment_intent")
        if intent:
            return str(intent["id"] if isinstance(intent, Mapping) else intent)
    return ""


def _one(theirs: JSON, ours: Ours) -> tuple[Invoice | None, Share, list[Found]]:
    if mine := ours.by_external.get(theirs["id"]):
        busy = mine.pk in ours.being_issued or mine.next_action in OWN_STEP or mine.state in BEFORE_ISSUE
        found = None if busy else difference(mine, theirs)
        return mine, Share.DIFFERS if found else Share.EXPLAINED, [found] if found else []
    if copy := ours.imported.get(theirs["id"]):
        return None, *_copied(copy, theirs)
    name = named_in(theirs)
    if not name or theirs["status"] == "void":
        return None, Share.FOREIGN, []
    mine = ours.by_uuid.get(name)
    if mine is not None and mine.pk in ours.being_issued:
        return mine, Share.EXPLAINED, []
    return mine, Share.DIFFERS, [_unrecorded(theirs, mine, name)]


def _copied(copy: ImportedInvoice, theirs: JSON) -> tuple[Share, list[Found]]:
    """One that was imported: it only has to be told as it is."""
    same = ("status", "amount_paid", "amount_remaining")
    if all(getattr(copy, name) == theirs[name] for name in same):
        return Share.EXPLAINED, []
    paid, total = (format_money(amount, copy.currency) for amount in (copy.amount_paid, copy.total))
    found = Found(
        KIND_OF[mapping.STATUSES[theirs["status"]]],
        copy.external_id,
        f"Imported; {copy.status}, {paid} of {total} paid",
        describe(theirs),
        look=invoice_news(copy.external_id),
        customer_id=copy.customer_id,
    )
    return Share.DIFFERS, [found]


def _unrecorded(theirs: JSON, mine: Invoice | None, name: str) -> Found:
    """Our name is on it, but we do not know it as the invoice's counterpart."""
    says = describe(theirs)
    if mine is None:
        return Found(Kind.INVOICE_UNKNOWN, theirs["id"], f"No invoice {name}", says, advice=ELSEWHERE)
    about: Any = {"invoice_id": mine.pk, "customer_id": mine.customer_id}
    if mine.external_invoice_id:
        recorded = f"{mine} is recorded as {mine.external_invoice_id}"
        return Found(Kind.INVOICE_TWICE, theirs["id"], recorded, says, advice=TWICE, **about)
    standing = f"{mine} is {mine.state.label.lower()} and not recorded as being in Stripe"
    return Found(Kind.INVOICE_UNKNOWN, theirs["id"], standing, says, advice=NOT_ISSUED, **about)


def difference(mine: Invoice, theirs: JSON) -> Found | None:
    """The first thing in which the two disagree."""
    status = mapping.STATUSES[theirs["status"]]
    if mine.state not in AGREES[status]:
        return _found(KIND_OF[status], mine, theirs, advice=STILL_OPEN if status in ("draft", "open") else "")
    if (theirs["total"], theirs["currency"].upper()) != (mine.amount_due, mine.currency):
        return _found(Kind.INVOICE_AMOUNT, mine, theirs, advice=EDITED)
    if status != GatewayStatus.DRAFT and theirs["amount_paid"] != mine.amount_paid:
        return _found(Kind.INVOICE_PAID_AMOUNT, mine, theirs)
    return None


def missing(mine: Invoice) -> Found:
    """Stripe lets nothing but drafts be deleted."""
    return Found(
        Kind.INVOICE_MISSING,
        mine.external_invoice_id,
        describe_ours(mine),
        "Not there: deleted as a draft",
        look=invoice_news(mine.external_invoice_id),
        invoice_id=mine.pk,
        customer_id=mine.customer_id,
    )


def _found(kind: Kind, mine: Invoice, theirs: JSON, *, advice: str = "") -> Found:
    return Found(
        kind,
        theirs["id"],
        describe_ours(mine),
        describe(theirs),
        look=invoice_news(theirs["id"]),
        advice=advice,
        invoice_id=mine.pk,
        customer_id=mine.customer_id,
    )


def describe_ours(mine: Invoice) -> str:
    paid, due = format_money(mine.amount_paid, mine.currency), format_money(mine.amount_due, mine.currency)
    return f"{mine.state.label}, {paid} of {due} paid"


def describe(theirs: JSON) -> str:
    currency = theirs["currency"]
    paid, total = format_money(theirs["amount_paid"], currency), format_money(theirs["total"], currency)
    return f"{theirs['status'].capitalize()}, {paid} of {total} paid"
