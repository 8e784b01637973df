"""What must be true at rest, written from Stripe's documentation and the product's promises, not from its code.

Stripe's side is read from what the sandbox holds.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from invoicing.models import Invoice
from payments.models import StripeEvent
from payments.sandbox.models import Delivery, StoredObject
from tests.scenarios.any_order.life import Life

JSON = dict[str, Any]

# Stripe's status -> ours, where Stripe's alone decides. An open invoice also depends on its payment.
SETTLED = {
    "draft": "INVOICE_ISSUED",
    "paid": "INVOICE_PAID",
    "void": "INVOICE_VOIDED",
    "uncollectible": "INVOICE_UNCOLLECTIBLE",
}
BEFORE_STRIPE = {"INVOICE_GENERATED", "INVOICING_FAILED"}


def problems(life: Life) -> list[str]:
    """Everything that is wrong, in words."""
    invoices = life.world.invoices()
    found = [f"{len(invoices)} invoices for {len(life.draw.customers)} cycles"] if _miscounted(life, invoices) else []
    for invoice in invoices:
        found += [f"{invoice.customer.name}: {problem}" for problem in _of_invoice(life, invoice)]
    return found + _numbers(invoices) + _foreign(life, invoices) + _unprocessed(life)


def _miscounted(life: Life, invoices: list[Invoice]) -> bool:
    return len(invoices) != len(life.draw.customers)


def _of_invoice(life: Life, invoice: Invoice) -> list[str]:
    there = _at_stripe(life, invoice)
    charges = [charge for one in there for charge in _charges(life, one) if charge["status"] == "succeeded"]
    found = []
    if len(there) > 1:
        found.append(f"{len(there)} Stripe invoices: {[one['id'] for one in there]}")
    if len(charges) > 1:
        found.append(f"charged {len(charges)} times")
    found += _status(life, invoice, there)
    found += _amounts(invoice, there, charges)
    return found + _reasons(invoice)


def _at_stripe(life: Life, invoice: Invoice) -> list[JSON]:
    rows = StoredObject.objects.filter(account=life.account, object="invoice", deleted=False)
    return [row.data for row in rows.filter(data__metadata__portal_invoice=str(invoice.uuid))]


def _charges(life: Life, there: JSON) -> list[JSON]:
    rows = StoredObject.objects.filter(account=life.account)
    intents = rows.filter(object="invoice_payment", invoice=there["id"]).values_list("payment_intent", flat=True)
    return [row.data for row in rows.filter(object="charge", payment_intent__in=list(intents))]


def _status(life: Life, invoice: Invoice, there: list[JSON]) -> list[str]:
    if not there:
        return _without_stripe(invoice)
    one = there[0]
    expected = SETTLED.get(one["status"]) or _open(one)
    found = []
    if invoice.status != expected:
        found.append(f"{invoice.status} here, Stripe's {one['status']} says {expected}")
    if invoice.external_invoice_id != one["id"]:
        found.append(f"known here as {invoice.external_invoice_id!r}, in Stripe as {one['id']}")
    return found


def _open(one: JSON) -> str:
    """Tried and not paid is a failed payment, also where the bank wants to see the customer first; never tried is
    merely open."""
    return "PAYMENT_FAILED" if one["attempted"] else "INVOICE_ISSUED"


def _without_stripe(invoice: Invoice) -> list[str]:
    if invoice.status in BEFORE_STRIPE or invoice.gateway == "":
        return []
    return [f"{invoice.status} by {invoice.gateway}, but Stripe has no such invoice"]


def _amounts(invoice: Invoice, there: list[JSON], charges: list[JSON]) -> list[str]:
    lines = sum(line.amount for line in invoice.line_items.all())
    found = []
    if invoice.amount_due != lines + invoice.tax_amount - invoice.discount_credit:
        found.append(f"due {invoice.amount_due}, lines {lines}, tax {invoice.tax_amount}")
    found += [f"Stripe's total {one['total']}, ours {invoice.amount_due}" for one in there if _differs(one, invoice)]
    taken = sum(charge["amount"] for charge in charges)
    if taken not in (0, invoice.amount_due):
        found.append(f"charged {taken} for {invoice.amount_due}")
    if taken and invoice.amount_paid != taken:
        found.append(f"charged {taken}, {invoice.amount_paid} recorded as paid")
    return found


def _differs(one: JSON, invoice: Invoice) -> bool:
    return (one["total"], one["currency"]) != (invoice.amount_due, invoice.currency.lower())


def _reasons(invoice: Invoice) -> list[str]:
    """A failure says why; what should have happened and has not says why, too."""
    if invoice.status == "INVOICING_FAILED" and not invoice.invoicing_error:
        return ["issuing failed without a reason"]
    if invoice.status == "PAYMENT_FAILED" and not invoice.payment_error:
        return ["the payment failed without a reason"]
    if invoice.status == "INVOICE_GENERATED" and invoice.next_action == "issue" and not invoice.last_error:
        return ["not issued, and nothing says why"]
    if invoice.issue_attempts.filter(state="sending").exists():
        return ["an attempt to issue it is still under way"]
    return []


def _numbers(invoices: list[Invoice]) -> list[str]:
    numbers = sorted(invoice.number for invoice in invoices if invoice.number)
    without = [i for i in invoices if not i.number and i.status not in BEFORE_STRIPE]
    found = [f"{invoice.customer.name}: {invoice.status} without a number" for invoice in without]
    if numbers != [f"INV-{n:05d}" for n in range(1, len(numbers) + 1)]:
        found.append(f"numbers with gaps: {numbers}")
    return found


def _foreign(life: Life, invoices: list[Invoice]) -> list[str]:
    """Nothing is in the account that no invoice of ours explains; no money twice under another name."""
    rows = StoredObject.objects.filter(account=life.account, deleted=False)
    ours = {str(invoice.uuid) for invoice in invoices}
    strays = [
        row.stripe_id for row in rows.filter(object="invoice") if row.data["metadata"].get("portal_invoice") not in ours
    ]
    taken: dict[str, int] = defaultdict(int)
    for charge in rows.filter(object="charge", status="succeeded"):
        taken[charge.data["customer"]] += 1
    greedy = [f"{customer} was charged {times} times" for customer, times in taken.items() if times > 1]
    return [f"Stripe holds {stray}, which is nobody's" for stray in strays] + greedy


def _unprocessed(life: Life) -> list[str]:
    """Every webhook came and was dealt with."""
    waiting = Delivery.objects.filter(account=life.account, state="pending")
    found = [f"{delivery.event.type} is still on its way" for delivery in waiting.select_related("event")]
    events = StripeEvent.objects.filter(account_id=life.account).exclude(state__in=["processed", "ignored"])
    return found + [f"{event.type} is {event.state}: {event.reason}" for event in events]
