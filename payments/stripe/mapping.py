"""What do Stripe's words mean? Plain dictionaries from the client in, our values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from invoicing.gateways import (
    ChargeStatus,
    Collection,
    DisputeStatus,
    GatewayCharge,
    GatewayDispute,
    GatewayDisputeMovement,
    GatewayInvoice,
    GatewayPayment,
    GatewayRefund,
    GatewayStatus,
    GatewayTax,
    RefundStatus,
    Retry,
    Waiting,
)
from payments.stripe.declines import retry_after_charge, retry_after_error
from payments.stripe.errors import decline_words

JSON = Mapping[str, Any]

STATUSES = {
    "draft": GatewayStatus.DRAFT,
    "open": GatewayStatus.OPEN,
    "paid": GatewayStatus.PAID,
    "void": GatewayStatus.VOID,
    "uncollectible": GatewayStatus.UNCOLLECTIBLE,
}

BRANDS = {
    "amex": "American Express",
    "cartes_bancaires": "Cartes Bancaires",
    "diners": "Diners Club",
    "discover": "Discover",
    "eftpos_au": "Eftpos",
    "jcb": "JCB",
    "link": "Link",
    "mastercard": "Mastercard",
    "unionpay": "UnionPay",
    "unknown": "Card",
    "visa": "Visa",
}

METHOD_TYPES = {
    "acss_debit": "Pre-authorized debit",
    "au_becs_debit": "BECS debit",
    "bacs_debit": "Bacs debit",
    "card": "Card",
    "customer_balance": "Bank transfer",
    "link": "Link",
    "paypal": "PayPal",
    "sepa_debit": "SEPA debit",
    "us_bank_account": "Bank account",
}

# What must be expanded for the payments of an invoice to be told; four levels are Stripe's limit.
PAYMENTS = "payments.data.payment.payment_intent"


def moment(epoch: int | None) -> datetime | None:
    return None if epoch is None else datetime.fromtimestamp(epoch, UTC)


def gateway_invoice(
    invoice: JSON, *, payments: Iterable[GatewayPayment] = (), note: str = "", seen_at: datetime | None = None
) -> GatewayInvoice:
    """The state of an invoice as this product knows it."""
    return GatewayInvoice(
        external_id=invoice["id"],
        status=STATUSES[invoice["status"]],
        collection=invoice.get("collection_method") or "",
        number=invoice.get("number") or "",
        hosted_url=invoice.get("hosted_invoice_url") or "",
        due_date=moment(invoice.get("due_date")),
        amount_paid=invoice.get("amount_paid") or 0,
        payments=tuple(payments),
        finalized_at=moment((invoice.get("status_transitions") or {}).get("finalized_at")),
        next_attempt_at=moment(invoice.get("next_payment_attempt")),
        error=invoice_error(invoice),
        note=note,
        amount_overpaid=invoice.get("amount_overpaid") or 0,
        amount_credited=invoice.get("pre_payment_credit_notes_amount") or 0,
        amount_from_balance=amount_from_balance(invoice),
        seen_at=seen_at,
        retries_itself=bool(invoice.get("auto_advance")) and invoice.get("collection_method") == "charge_automatically",
        tax=gateway_tax(invoice),
    )


def amount_from_balance(invoice: JSON) -> int:
    """What of the total the customer's balance covered when it was finalized. Voiding gives it back."""
    before, after = invoice.get("starting_balance") or 0, invoice.get("ending_balance")
    return 0 if after is None or invoice["status"] in ("draft", "void") else int(after - before)


def gateway_tax(invoice: JSON) -> GatewayTax | None:
    """Tax that Stripe computed by itself; None where it was told, or there is none."""
    automatic = invoice.get("automatic_tax") or {}
    if not automatic.get("enabled") or automatic.get("status") != "complete":
        return None
    amount = sum(tax["amount"] for tax in invoice.get("total_taxes") or [])
    return GatewayTax(amount=amount, total=invoice["total"], is_final=invoice["status"] != "draft")


def deleted_invoice(external_id: str) -> GatewayInvoice:
    """A draft that somebody deleted; Stripe keeps nothing of it."""
    return GatewayInvoice(
        external_id=external_id, status=GatewayStatus.VOID, collection="", note="The draft was deleted in Stripe."
    )


def invoice_error(invoice: JSON) -> str:
    """What stands in the way of an invoice, in Stripe's words: finalization failed, or nothing could be charged."""
    if problem := invoice.get("last_finalization_error"):
        return str(problem.get("message") or problem.get("code") or "")
    if invoice.get("status") == "paid":
        return ""
    for intent in payment_intents(invoice):
        if problem := intent.get("last_payment_error"):
            return payment_error(problem)
    return ""


CHARGES = {
    "succeeded": ChargeStatus.SUCCEEDED,
    "processing": ChargeStatus.PENDING,
    "requires_capture": ChargeStatus.PENDING,
}


def gateway_charge(intent: JSON) -> GatewayCharge:
    """A payment intent of ours, with its latest charge expanded. Whatever nobody can finish unattended has failed."""
    status = CHARGES.get(intent["status"], ChargeStatus.FAILED)
    problem = intent.get("last_payment_error") or {}
    charge = intent.get("latest_charge")
    payment = payment_of_charge(charge) if isinstance(charge, Mapping) else None
    if payment is None and status == ChargeStatus.FAILED:
        payment = _failed_without_charge(intent, problem)
    return GatewayCharge(
        external_id=intent["id"],
        status=status,
        payment=payment,
        error=payment.error if payment else "",
        reference=(intent.get("metadata") or {}).get("portal_charge") or "",
    )


def _failed_without_charge(intent: JSON, problem: JSON) -> GatewayPayment:
    return GatewayPayment(
        external_id=intent["id"],
        succeeded=False,
        amount=intent["amount"],
        method=method_words(problem.get("payment_method") or {}),
        occurred_at=datetime.fromtimestamp(intent["created"], UTC),
        error_code=problem.get("decline_code") or problem.get("code") or "",
        error=payment_error(problem),
        retry=retry_after_error(problem),
    )


def payment_error(problem: JSON) -> str:
    return decline_words(
        problem.get("code") or "", problem.get("decline_code") or "", problem.get("message") or "The payment failed"
    )


def payment_intents(invoice: JSON) -> list[JSON]:
    """The expanded payment intents of an invoice, where there are any."""
    entries = (invoice.get("payments") or {}).get("data") or []
    intents = [entry["payment"].get("payment_intent") for entry in entries]
    return [intent for intent in intents if isinstance(intent, Mapping)]


def payment_of_charge(charge: JSON) -> GatewayPayment:
    """One attempt: made, failed, or not decided by the bank yet."""
    attempt = GatewayPayment(
        external_id=charge["id"],
        succeeded=charge["status"] == "succeeded",
        amount=charge["amount"],
        method=method_words(charge.get("payment_method_details") or {}),
        occurred_at=datetime.fromtimestamp(charge["created"], UTC),
        intent=id_of(charge.get("payment_intent")),
    )
    if attempt.succeeded:
        return attempt
    if charge["status"] == "pending":
        return replace(attempt, waiting=Waiting.BANK)
    code = charge.get("failure_code") or ""
    decline = decline_code(charge)
    words = decline_words(code, decline, charge.get("failure_message") or "")
    return replace(attempt, error_code=decline or code, error=words, retry=retry_after_charge(charge))


def awaiting_customer(intent: JSON) -> GatewayPayment:
    """An attempt that stopped because the bank wants to hear from the customer. No charge was made yet."""
    return GatewayPayment(
        external_id=intent["id"],
        succeeded=False,
        amount=intent["amount"],
        method="",
        occurred_at=datetime.fromtimestamp(intent["created"], UTC),
        error_code="authentication_required",
        error=decline_words("authentication_required", "", ""),
        retry=Retry.CUSTOMER,
        waiting=Waiting.CUSTOMER,
        intent=intent["id"],
    )


def id_of(value: Any) -> str:
    """Of an object that may be expanded."""
    return str(value["id"] if isinstance(value, Mapping) else value or "")


DISPUTE_STATUSES = {
    "needs_response": DisputeStatus.NEEDS_RESPONSE,
    "warning_needs_response": DisputeStatus.NEEDS_RESPONSE,
    "appeal_needs_response": DisputeStatus.NEEDS_RESPONSE,
    "won": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
    "warning_closed": DisputeStatus.CLOSED,
    "prevented": DisputeStatus.CLOSED,
}


def gateway_dispute(dispute: JSON) -> GatewayDispute:
    """A status that Stripe may add one day is under review as far as anybody here can tell."""
    return GatewayDispute(
        external_id=dispute["id"],
        status=DISPUTE_STATUSES.get(dispute["status"], DisputeStatus.UNDER_REVIEW),
        is_inquiry=dispute["status"].startswith("warning_"),
        amount=dispute["amount"],
        reason=dispute.get("reason") or "",
        opened_at=datetime.fromtimestamp(dispute["created"], UTC),
        due_by=moment((dispute.get("evidence_details") or {}).get("due_by")),
        movements=tuple(_movement(entry) for entry in dispute.get("balance_transactions") or []),
    )


def _movement(entry: JSON) -> GatewayDisputeMovement:
    occurred_at = datetime.fromtimestamp(entry["created"], UTC)
    return GatewayDisputeMovement(entry["id"], entry["amount"], entry.get("fee") or 0, occurred_at)


REFUND_STATUSES = {
    "canceled": RefundStatus.FAILED,
    "failed": RefundStatus.FAILED,
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.PENDING,
    "succeeded": RefundStatus.SUCCEEDED,
}


def gateway_refund(refund: JSON) -> GatewayRefund:
    status = REFUND_STATUSES[refund["status"]]
    why = (refund.get("failure_reason") or refund["status"]).replace("_", " ")
    return GatewayRefund(
        external_id=refund["id"],
        status=status,
        amount=refund["amount"],
        occurred_at=datetime.fromtimestamp(refund["created"], UTC),
        reference=(refund.get("metadata") or {}).get("portal_refund") or "",
        error=f"The money could not be given back. Stripe's reason: {why}." if status == RefundStatus.FAILED else "",
    )


def decline_code(charge: JSON) -> str:
    """``outcome.reason`` repeats the decline code of a payment the bank refused."""
    outcome = charge.get("outcome") or {}
    return "" if charge["status"] == "succeeded" else outcome.get("reason") or ""


def payments_at_once(invoice: JSON, method: JSON | None) -> list[GatewayPayment]:
    """The payment that a ``pay`` call has just made, without asking for its charge."""
    made = []
    for entry in (invoice.get("payments") or {}).get("data") or []:
        intent = entry["payment"].get("payment_intent")
        if entry["status"] == "paid" and isinstance(intent, Mapping) and intent.get("latest_charge"):
            made.append(_paid(entry, intent, method))
    return made


def _paid(entry: JSON, intent: JSON, method: JSON | None) -> GatewayPayment:
    charge = intent["latest_charge"]
    paid_at = (entry.get("status_transitions") or {}).get("paid_at") or entry["created"]
    return GatewayPayment(
        external_id=charge["id"] if isinstance(charge, Mapping) else charge,
        succeeded=True,
        amount=entry.get("amount_paid") or 0,
        method=method_words(method or {}),
        occurred_at=datetime.fromtimestamp(paid_at, UTC),
    )


def method_words(method: JSON) -> str:
    """ "Visa ending in 4242", from a payment method or from a charge's ``payment_method_details``."""
    kind = method.get("type") or ""
    detail = method.get(kind) or {}
    name = METHOD_TYPES.get(kind) or kind.replace("_", " ").capitalize()
    if kind == "card":
        name = brand_words(detail.get("brand") or "unknown")
    last4 = detail.get("last4")
    return f"{name} ending in {last4}" if last4 else name


def brand_words(brand: str) -> str:
    return BRANDS.get(brand) or brand.replace("_", " ").title()


def method_is_expired(method: JSON, today: date) -> bool:
    """Cards are good through the last day of their month; nothing else expires."""
    card = method.get("card") or {}
    if not card.get("exp_year") or not card.get("exp_month"):
        return False
    return (int(card["exp_year"]), int(card["exp_month"])) < (today.year, today.month)


def method_fields(method: JSON) -> dict[str, Any]:
    """The columns of ``StripePaymentMethod``."""
    kind = method.get("type") or "unknown"
    detail = method.get(kind) or {}
    brand = brand_words(detail.get("brand") or "unknown") if kind == "card" else METHOD_TYPES.get(kind, "")
    return {
        "type": kind[:32],
        "brand": brand[:32],
        "last4": (detail.get("last4") or "")[:4],
        "exp_month": detail.get("exp_month"),
        "exp_year": detail.get("exp_year"),
        "country": (detail.get("country") or "")[:2],
        "bank_name": (detail.get("bank_name") or "")[:128],
        "account_type": (detail.get("account_type") or "")[:32],
        "routing_number": (detail.get("routing_number") or "")[:32],
    }


def is_source(id_: str) -> bool:
    """Saved as Stripe did before payment methods. Its old cards are payment methods too; the rest is not."""
    return id_.startswith(("ba_", "src_"))


def source_as_method(source: JSON) -> dict[str, Any]:
    """A source in the shape of a payment method."""
    kind = {"card": "card", "bank_account": "us_bank_account"}.get(source["object"]) or source.get("type") or "unknown"
    detail = source.get(kind) if source["object"] == "source" else source
    return {"id": source["id"], "type": kind, "created": source.get("created"), kind: detail or {}}


def collection_method(collection: str) -> str:
    return {Collection.CHARGE_AUTOMATICALLY: "charge_automatically", Collection.SEND_INVOICE: "send_invoice"}[
        Collection(collection)
    ]
