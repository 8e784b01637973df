"""News of charges that we made ourselves, for invoices that we e-mail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from invoicing.invoices import charging as charges
from invoicing.invoices.models import Invoice
from payments.stripe import charging
from payments.stripe.client import client_for
from payments.stripe.models import StripeConnection, StripeEvent
from payments.stripe.news import Wait, subject

TOLD_BY_INVOICE = "The events of the invoice tell of its payments."
FOREIGN_CHARGE = "The payment was not made by us."


def look_at_intent(connection: StripeConnection, events: Sequence[StripeEvent], real_now: datetime) -> str:
    """Those of Stripe's own invoices are none of ours: they carry no reference, and their invoice tells of them."""
    if not (subject(events[-1]).get("metadata") or {}).get("portal_charge"):
        return TOLD_BY_INVOICE
    settled = settle_intent(connection, events[-1].object_id, real_now)
    return FOREIGN_CHARGE if settled is None else ""


def settle_intent(connection: StripeConnection, intent: str, real_now: datetime) -> Invoice | None:
    """Fetch it, and bring our invoice in line. None where it is not one of ours."""
    outcome = charging.fetch(client_for(connection), intent)
    attempt = charges.find(connection.vendor, outcome.reference)
    if attempt is None:
        return None
    try:
        charges.settle(attempt, outcome, real_now=real_now)
    except charges.StillCharging as error:
        raise Wait(error.message) from error
    return attempt.invoice
