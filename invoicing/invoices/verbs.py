"""What can be asked of an invoice, and why not. The API, the buttons and the verbs themselves ask here."""

from __future__ import annotations

from enum import StrEnum

from customers.errors import Conflict
from invoicing.gateways import Collection
from invoicing.invoices.models import Invoice
from invoicing.invoices.states import BEFORE_ISSUE, OPEN, TRANSITIONS, InvoiceAction, InvoiceStatus

S = InvoiceStatus


class InvoiceVerb(StrEnum):
    """What can be asked of an invoice. The words are those of the API and of the buttons."""

    RESUME = "resume"
    APPROVE = "approve"
    PUSH = "push"
    PAUSE = "pause"
    PAY = "pay"
    CHANGE_DUE_DATE = "change_due_date"
    REGENERATE = "regenerate"
    SEND = "send"
    MARK_PAID = "mark_paid"
    RECORD_PAYMENT = "record_payment"
    VOID = "void"
    MARK_UNCOLLECTIBLE = "mark_uncollectible"
    DELETE = "delete"
    REFUND = "refund"


def available_actions(invoice: Invoice) -> list[InvoiceVerb]:
    """The verbs that would not be refused, most likely one first."""
    return [verb for verb in InvoiceVerb if not _refusal(invoice, verb)]


def _refusal(invoice: Invoice, verb: InvoiceVerb) -> str:
    """Why this verb is not possible now; empty where it is."""
    state = invoice.state
    word = state.label.lower()
    match verb:
        case InvoiceVerb.APPROVE if state not in BEFORE_ISSUE or invoice.is_approved:
            return f"{invoice} needs no approval: it is {'approved' if invoice.is_approved else word}."
        case InvoiceVerb.PUSH if state not in BEFORE_ISSUE and not is_collectable(invoice):
            return f"{invoice} has no next step to push it to: it is {word}."
        case InvoiceVerb.PUSH if invoice.paused_at:
            return f"{invoice} is held back: resume it first."
        case InvoiceVerb.PAUSE if reason := _why_not_paused(invoice):
            return f"{invoice} cannot be held back: {reason}."
        case InvoiceVerb.RESUME if not invoice.paused_at:
            return f"{invoice} cannot be resumed: it is not held back."
        case InvoiceVerb.PAY if not is_payable(invoice):
            return f"{invoice} cannot be charged: {_why_not_charged(invoice)}."
        case InvoiceVerb.CHANGE_DUE_DATE if state not in BEFORE_ISSUE:
            return f"The due date of {invoice} can no longer be changed: it is {word}."
        case InvoiceVerb.REGENERATE if state not in BEFORE_ISSUE:
            return f"{invoice} cannot be generated again: it is {word}."
        case InvoiceVerb.REGENERATE if invoice.cycle_id is None:
            return f"{invoice} cannot be generated again: it does not bill a billing cycle that has ended."
        case InvoiceVerb.SEND if not was_emailed(invoice) and not is_sent_by_gateway(invoice):
            return f"{invoice} cannot be sent again: {_why_not_sent(invoice)}."
        case InvoiceVerb.MARK_PAID if S.PAID not in TRANSITIONS[state]:
            return f"{invoice} cannot be marked as paid: it is {word}."
        case InvoiceVerb.RECORD_PAYMENT if state == S.VOIDED:
            return f"{invoice} cannot take a payment: it is {word}."
        case InvoiceVerb.VOID if S.VOIDED not in TRANSITIONS[state]:
            return f"{invoice} cannot be voided: it is {word}."
        case InvoiceVerb.MARK_UNCOLLECTIBLE if S.UNCOLLECTIBLE not in TRANSITIONS[state]:
            return f"{invoice} cannot be given up: it is {word}."
        case InvoiceVerb.DELETE if state not in BEFORE_ISSUE or invoice.number:
            return f"{invoice} can no longer be deleted: {'it has its number' if invoice.number else f'it is {word}'}."
        case InvoiceVerb.REFUND if state != S.PAID:
            return f"{invoice} cannot be refunded: it is {word}."
        case InvoiceVerb.REFUND if not invoice.amount_refundable:
            return f"{invoice} cannot be refunded: {_nothing_left(invoice)}."
    return ""


_OURS = (InvoiceAction.ISSUE, InvoiceAction.APPROVE, InvoiceAction.COLLECT)


def _why_not_paused(invoice: Invoice) -> str:
    """Issue, retries and reminders can be held back; what a person decided and Stripe is to be told cannot."""
    if invoice.paused_at:
        return "it is held back already"
    if invoice.state not in (*BEFORE_ISSUE, *OPEN):
        return f"it is {invoice.state.label.lower()}"
    is_idle = invoice.state in BEFORE_ISSUE and not invoice.next_action
    if is_idle or (invoice.next_action and invoice.next_action not in _OURS):
        return "nothing that could be held back happens to it by itself"
    return ""


def is_collectable(invoice: Invoice) -> bool:
    """Whether the gateway can be asked to try the payment again."""
    is_held = bool(invoice.external_invoice_id) or invoice.is_charged_by_us
    return invoice.state == S.PAYMENT_FAILED and is_held


def is_payable(invoice: Invoice) -> bool:
    """Whether the gateway can be asked to charge it."""
    return invoice.state in (*OPEN, S.UNCOLLECTIBLE) and bool(invoice.external_invoice_id)


def _why_not_charged(invoice: Invoice) -> str:
    return "Stripe does not hold it" if invoice.state in OPEN else f"it is {invoice.state.label.lower()}"


def is_sent_by_gateway(invoice: Invoice) -> bool:
    """Whether the gateway would e-mail it: it is out, and the customer is to pay by themselves."""
    sends = invoice.gateway_collection == Collection.SEND_INVOICE
    return invoice.state in OPEN and bool(invoice.external_invoice_id) and sends


def was_emailed(invoice: Invoice) -> bool:
    """Issued by our e-mail, and still worth sending again."""
    is_out = invoice.issued_at is not None and not invoice.gateway
    return is_out and invoice.state in (*OPEN, S.PAID, S.UNCOLLECTIBLE)


def _why_not_sent(invoice: Invoice) -> str:
    if invoice.gateway:
        is_charged = invoice.gateway_collection == Collection.CHARGE_AUTOMATICALLY
        return "Stripe charges it instead of sending it" if is_charged else "Stripe sends it"
    return f"it is {invoice.state.label.lower()}" if invoice.issued_at else "it was not issued by e-mail"


def _nothing_left(invoice: Invoice) -> str:
    return "all of it went back already" if invoice.amount_refunded else "Stripe collected nothing for it"


def check(invoice: Invoice, verb: InvoiceVerb) -> None:
    """Raises ``Conflict`` with the reason where the verb is refused."""
    if reason := _refusal(invoice, verb):
        raise Conflict(reason, code="illegal_transition")
