"""Do the disputes in Stripe agree with ours?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from customers.money import format_money
from invoicing.invoices.ledger import Dispute, DisputeState
from invoicing.invoices.models import Invoice, Payment
from payments.reconcile.findings import Findings, Found, Kind
from payments.reconcile.look import dispute_news
from payments.reconcile.payments import payments_by_charge
from payments.stripe import mapping
from payments.stripe.models import StripeConnection

JSON = dict[str, Any]


def compare(connection: StripeConnection, theirs: Sequence[JSON]) -> Findings:
    """What they hold back is no money that was collected or given back, so nothing is added up."""
    ids = [dispute["id"] for dispute in theirs]
    rows = Dispute.objects.filter(external_id__in=ids, invoice__vendor_id=connection.vendor_id)
    known = {row.external_id: row for row in rows.select_related("invoice")}
    paid = payments_by_charge(connection, [mapping.id_of(dispute["charge"]) for dispute in theirs])
    found = [_dispute(dispute, known.get(dispute["id"]), paid) for dispute in theirs]
    return Findings(objects=len(theirs), looked=ids, found=[one for one in found if one])


def _dispute(dispute: JSON, known: Dispute | None, paid: Mapping[str, Payment]) -> Found | None:
    if known is not None:
        if DisputeState(mapping.gateway_dispute(dispute).status) == known.state:
            return None
        ours = f"{known.get_state_display()}: {format_money(known.amount, known.invoice.currency)}"
        return _found(Kind.DISPUTE_STATE, dispute, ours, known.invoice)
    payment = paid.get(mapping.id_of(dispute["charge"]))
    return _found(Kind.DISPUTE_UNKNOWN, dispute, "Not recorded", payment.invoice) if payment else None


def _found(kind: Kind, dispute: JSON, ours: str, mine: Invoice) -> Found:
    status = dispute["status"].replace("_", " ").capitalize()
    theirs = f"{status}: {format_money(dispute['amount'], dispute['currency'])}"
    look = dispute_news(dispute["id"])
    return Found(kind, dispute["id"], ours, theirs, look=look, invoice_id=mine.pk, customer_id=mine.customer_id)
