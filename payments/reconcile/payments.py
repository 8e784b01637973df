"""Do the payments and refunds in Stripe agree with ours?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Q

from customers.money import format_money
from invoicing.gateways import RefundStatus
from invoicing.invoices.charge_attempts import ChargeAttempt
from invoicing.invoices.models import Invoice, Payment, Refund
from invoicing.invoices.refunds import STATE_OF
from payments.reconcile.findings import Bucket, Findings, Found, Kind, Share
from payments.reconcile.invoices import named_in
from payments.reconcile.look import invoice_news, news, refund_news
from payments.reconcile.models import ReconciliationRun, SeenInvoice
from payments.stripe import mapping
from payments.stripe.models import StripeConnection

JSON = dict[str, Any]


def compare_charges(connection: StripeConnection, theirs: Sequence[JSON], run: ReconciliationRun | None) -> Findings:
    """What was collected. ``run`` has seen which payment intent belongs to which invoice."""
    collected = [charge for charge in theirs if charge["status"] == "succeeded"]
    known = payments_by_charge(connection, [charge["id"] for charge in collected])
    seen = _seen(run, collected)
    named = _named(connection, collected)
    under_way = ChargeAttempt.objects.filter(invoice__in=named.values(), state=ChargeAttempt.State.SENDING)
    at_work = {str(pk) for pk in under_way.values_list("invoice__uuid", flat=True)}
    result = Findings(objects=len(theirs))
    for charge in collected:
        if named_in(charge) in at_work:  # its answer is being written down at this moment
            result.money.add(charge["currency"], Bucket.PAID, Share.EXPLAINED, charge["amount_captured"])
            continue
        result.looked.append(charge["id"])
        share, found = _charge(charge, known.get(charge["id"]), seen.get(charge["payment_intent"] or ""), named)
        result.money.add(charge["currency"], Bucket.PAID, share, charge["amount_captured"])
        result.found += [found] if found else []
    return result


def payments_by_charge(connection: StripeConnection, charges: Sequence[str]) -> Mapping[str, Payment]:
    rows = Payment.objects.filter(external_id__in=charges, invoice__vendor_id=connection.vendor_id)
    return {payment.external_id or "": payment for payment in rows.select_related("invoice")}


def _seen(run: ReconciliationRun | None, things: Sequence[JSON]) -> Mapping[str, SeenInvoice]:
    intents = {thing["payment_intent"] for thing in things if thing["payment_intent"]}
    rows = SeenInvoice.objects.filter(Q(is_ours=True) | Q(is_imported=True), run=run, payment_intent__in=intents)
    return {row.payment_intent: row for row in rows}


def _named(connection: StripeConnection, charges: Sequence[JSON]) -> Mapping[str, Invoice]:
    names = {name for charge in charges if (name := named_in(charge))}
    return {str(invoice.uuid): invoice for invoice in Invoice.objects.of(connection.vendor).filter(uuid__in=names)}


def _charge(
    charge: JSON, known: Payment | None, seen: SeenInvoice | None, named: Mapping[str, Invoice]
) -> tuple[Share, Found | None]:
    theirs = f"Paid {format_money(charge['amount_captured'], charge['currency'])}"
    if known is not None:
        if known.state == Payment.State.SUCCEEDED and known.amount == charge["amount"]:
            return Share.EXPLAINED, None
        ours = f"{known.get_state_display()}: {format_money(known.amount, known.invoice.currency)}"
        return Share.DIFFERS, _unknown(charge, ours, theirs, known.invoice)
    if seen is not None and seen.is_imported:
        return Share.EXPLAINED, None  # the copy of its invoice tells of it
    if seen is not None:
        # Where the invoice itself differs, that has been said.
        look = invoice_news(seen.external_id)
        told = Found(Kind.PAYMENT_UNKNOWN, charge["id"], "Not recorded", theirs, look=look)
        return Share.DIFFERS, None if seen.differs else told
    if mine := named.get(named_in(charge)):
        return Share.DIFFERS, _unknown(charge, "Not recorded", theirs, mine)
    return Share.FOREIGN, None


def _unknown(charge: JSON, ours: str, theirs: str, mine: Invoice) -> Found:
    look = invoice_news(mine.external_invoice_id) if mine.external_invoice_id else _intent_news(charge)
    about: Any = {"invoice_id": mine.pk, "customer_id": mine.customer_id}
    return Found(Kind.PAYMENT_UNKNOWN, charge["id"], ours, theirs, look=look, **about)


def _intent_news(charge: JSON) -> JSON:
    """An invoice that is collected without a Stripe invoice is told of by its payment intent."""
    subject = {"id": charge["payment_intent"] or "", "object": "payment_intent", "metadata": charge["metadata"]}
    return news("payment_intent.succeeded", subject)


def compare_refunds(connection: StripeConnection, theirs: Sequence[JSON], run: ReconciliationRun | None) -> Findings:
    ids = [refund["id"] for refund in theirs]
    known = {r.external_id: r for r in _refunds(connection).filter(external_id__in=ids)}
    names = [mark for refund in theirs if (mark := _reference(refund))]
    under_way = {str(r.uuid) for r in _refunds(connection).filter(uuid__in=names, state=Refund.State.SENDING)}
    paid = payments_by_charge(connection, [refund["charge"] for refund in theirs if refund["charge"]])
    seen = _seen(run, theirs)
    result = Findings(objects=len(theirs), looked=ids)
    result.seen = [SeenInvoice(external_id=refund) for refund in known if refund]
    for refund in theirs:
        payment, invoice = paid.get(refund["charge"] or ""), seen.get(refund["payment_intent"] or "")
        share, found = _refund(refund, known.get(refund["id"]), payment, invoice is not None and invoice.is_ours)
        if found and _reference(refund) in under_way:
            share, found = Share.EXPLAINED, None
        if refund["status"] in ("succeeded", "pending", "requires_action"):
            result.money.add(refund["currency"], Bucket.REFUNDED, share, refund["amount"])
        result.found += [found] if found else []
    return result


GONE = (
    "Nobody gave it back there, or in another account. Look at the payment in Stripe, and refund it there if it is due."
)


def missing_refund(mine: Refund) -> Found:
    ours = f"{mine.get_state_display()}: {format_money(mine.amount, mine.invoice.currency)}"
    about: Any = {"invoice_id": mine.invoice_id, "customer_id": mine.invoice.customer_id}
    return Found(Kind.REFUND_MISSING, mine.external_id or "", ours, "Not there", advice=GONE, **about)


def _refunds(connection: StripeConnection) -> Any:
    return Refund.objects.filter(invoice__vendor_id=connection.vendor_id).select_related("invoice")


def _reference(refund: JSON) -> str:
    return named_in({"metadata": {"portal_invoice": (refund.get("metadata") or {}).get("portal_refund", "")}})


def _refund(refund: JSON, known: Refund | None, payment: Payment | None, ours: bool) -> tuple[Share, Found | None]:
    theirs = f"{refund['status'].replace('_', ' ').capitalize()}: {format_money(refund['amount'], refund['currency'])}"
    state = mapping.gateway_refund(refund).status
    if known is not None:
        if STATE_OF[state] == known.state:
            return Share.EXPLAINED, None
        says = f"{known.get_state_display()}: {format_money(known.amount, known.invoice.currency)}"
        return Share.DIFFERS, _told(Kind.REFUND_STATE, refund, says, theirs, known.invoice)
    if payment is None and not ours:
        return Share.FOREIGN, None
    if state == RefundStatus.FAILED:
        return Share.EXPLAINED, None
    return Share.DIFFERS, _told(
        Kind.REFUND_UNKNOWN, refund, "Not recorded", theirs, payment.invoice if payment else None
    )


def _told(kind: Kind, refund: JSON, ours: str, theirs: str, mine: Invoice | None) -> Found:
    return Found(
        kind,
        refund["id"],
        ours,
        theirs,
        look=refund_news(refund["id"]),
        invoice_id=mine.pk if mine else None,
        customer_id=mine.customer_id if mine else None,
    )
