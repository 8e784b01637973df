"""Invoices that were in Stripe before us: copied once, followed afterwards, and never acted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from invoicing.gateways import GatewayRejected
from payments.reconcile.models import ImportedInvoice
from payments.stripe import mapping
from payments.stripe.client import client_for
from payments.stripe.models import StripeConnection

JSON = Mapping[str, Any]


def facts(invoice: JSON, real_now: datetime) -> dict[str, Any]:
    """What may change once an invoice is final."""
    return {
        "status": invoice["status"],
        "number": invoice.get("number") or "",
        "amount_paid": invoice["amount_paid"],
        "amount_remaining": invoice["amount_remaining"],
        "hosted_url": invoice.get("hosted_invoice_url") or "",
        "due_date": mapping.moment(invoice.get("due_date")),
        "as_of": real_now,
    }


def row_of(invoice: JSON, lines: Sequence[JSON], real_now: datetime) -> dict[str, Any]:
    """All columns but whose it is."""
    return {
        **facts(invoice, real_now),
        "external_id": invoice["id"],
        "currency": invoice["currency"].upper(),
        "total": invoice["total"],
        "description": invoice.get("description") or "",
        "lines": [{"description": line.get("description") or "", "amount": line["amount"]} for line in lines],
        "made_at": mapping.moment(invoice["created"]),
        "imported_at": real_now,
    }


def follow(connection: StripeConnection, external_id: str, *, real_now: datetime) -> bool:
    """Bring the copy in step with Stripe. False where it is not one of those."""
    rows = ImportedInvoice.objects.filter(connection=connection, external_id=external_id)
    if not rows.exists():
        return False
    try:
        present = facts(client_for(connection).retrieve_invoice(external_id, expand=[]), real_now)
    except GatewayRejected as error:
        if error.code != "resource_missing":
            raise
        present = {"status": "void", "amount_remaining": 0, "as_of": real_now}
    rows.filter(as_of__lte=real_now).update(**present)
    return True
