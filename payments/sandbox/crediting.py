"""What a credit note does: it takes from what is still due first, and gives back what was paid for the rest."""

from collections.abc import Mapping
from dataclasses import dataclass

from payments.sandbox import balance, collect, store
from payments.sandbox.errors import bad_request
from payments.sandbox.invoice_row import change
from payments.sandbox.models import StoredObject
from payments.sandbox.scope import JSON, Scope

# Where the part that was paid already goes.
WAYS = ("refund_amount", "credit_amount", "out_of_band_amount")


@dataclass(frozen=True)
class Credit:
    """``before`` comes off what is due, ``after`` goes back by the ways given."""

    before: int
    after: int
    ways: Mapping[str, int]

    @property
    def kind(self) -> str:
        if self.before and self.after:
            return "mixed"
        return "post_payment" if self.after else "pre_payment"


def plan(invoice: JSON, amount: int, given: Mapping[str, int]) -> Credit:
    """Raises Stripe's refusals: too much, or ways that do not add up to what was paid of it."""
    if invoice["status"] not in ("open", "paid"):
        raise bad_request(
            f"Credit notes can only be created for open or paid invoices; this one is {invoice['status']}.",
            param="invoice",
        )
    before = min(amount, invoice["amount_remaining"])
    after = amount - before
    paid = invoice["amount_paid"] - invoice["post_payment_credit_notes_amount"]
    if after > max(paid, 0):
        most = invoice["amount_remaining"] + max(paid, 0)
        raise bad_request(f"The credit note's amount ({amount}) is more than can be credited ({most}).", param="amount")
    ways = {name: given[name] for name in WAYS if given.get(name)}
    if sum(ways.values()) != after:
        raise bad_request(
            "The sum of `refund_amount`, `credit_amount` and `out_of_band_amount` must equal the credit note's post "
            f"payment amount ({after})."
        )
    return Credit(before, after, ways)


def apply(scope: Scope, invoice: StoredObject, credit: Credit) -> None:
    """Write it down on the invoice; one that is covered is paid."""
    data = invoice.data
    fields: JSON = {
        "post_payment_credit_notes_amount": data["post_payment_credit_notes_amount"] + credit.after,
        "pre_payment_credit_notes_amount": data["pre_payment_credit_notes_amount"] + credit.before,
    }
    if credit.before:
        _take_from(scope, invoice, credit.before, fields)
        return
    change(scope, invoice, fields)


def _take_from(scope: Scope, invoice: StoredObject, amount: int, fields: JSON) -> None:
    data = invoice.data
    left = data["amount_remaining"] - amount
    fields |= {"amount_due": data["amount_due"] - amount, "amount_remaining": left}
    payment, intent = collect.default_payment(scope, invoice)
    if left:
        collect.ask_for(scope, payment, intent, left)
        change(scope, invoice, fields)
        return
    collect.cancel_payment(scope, payment, intent, "void_invoice")
    change(scope, invoice, {**collect.paid_fields(scope, data), **fields})
    scope.emit("invoice.paid", invoice.data)


def take_back(scope: Scope, invoice: StoredObject, amount: int) -> None:
    """A voided credit note: the invoice asks for as much again."""
    if invoice.status != "open":
        raise bad_request(f"Credit notes of open invoices can be voided; this invoice is {invoice.status}.")
    data = invoice.data
    left = data["amount_remaining"] + amount
    collect.ask_for(scope, *collect.default_payment(scope, invoice), left)
    fields = {
        "amount_due": data["amount_due"] + amount,
        "amount_remaining": left,
        "pre_payment_credit_notes_amount": data["pre_payment_credit_notes_amount"] - amount,
    }
    change(scope, invoice, fields)


def to_balance(scope: Scope, invoice: StoredObject, amount: int, number: str) -> StoredObject | None:
    """The customer's credit for its next invoice."""
    customer = store.lock(scope, "customer", invoice.customer)
    return balance.move(
        scope, customer, -amount, "credit_note",
        currency=invoice.data["currency"], invoice=invoice.stripe_id, description=f"Credit note {number}",
    )  # fmt: skip


def charge_of(scope: Scope, invoice: StoredObject) -> StoredObject:
    """The charge that a refund is taken from: the newest that paid the invoice."""
    paid = store.query(scope, "invoice_payment").filter(invoice=invoice.stripe_id, status="paid").order_by("-pk")
    for payment in paid:
        intent = store.get(scope, "payment_intent", payment.payment_intent)
        return store.lock(scope, "charge", intent.data["latest_charge"])
    raise bad_request("The invoice has no charge that could be refunded.", param="refund_amount")
