"""The buttons of an invoice: what each is called, who may press it, what it asks, what it says afterwards.

Whether a button makes sense for the invoice's state is decided by ``lifecycle`` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from billing_portal.accounts.roles import Permission
from billing_portal.portal.access import OperatorRequest, may
from customers.errors import Invalid
from customers.money import MoneyError, parse_money
from invoicing.invoices import by_hand, due_dates, lifecycle, pausing, refunds, regeneration
from invoicing.invoices.methods import checked_method
from invoicing.invoices.models import Invoice
from invoicing.invoices.verbs import InvoiceVerb, available_actions, is_collectable


@dataclass(frozen=True)
class Button:
    verb: InvoiceVerb
    label: str
    icon: str
    permission: Permission
    question: str
    consequence: str
    done: str
    asks: tuple[str, ...] = ()
    dangerous: bool = False


B, V = Button, InvoiceVerb

# In this order; the first that applies is the page's primary button.
BUTTONS: Mapping[InvoiceVerb, Button] = {
    V.RESUME: B(
        V.RESUME, "Resume", "play_circle", Permission.PAUSE_INVOICE,
        "Let this invoice go on?",
        "It goes on where it was. What fell due meanwhile is done at once, which can send it and charge the customer.",
        "{invoice} goes on.",
    ),
    V.APPROVE: B(
        V.APPROVE, "Approve", "check_circle", Permission.APPROVE_INVOICE,
        "Approve this invoice?",
        "It is issued when its payment grace period is over, as the billing settings say.",
        "{invoice} is approved.",
    ),
    V.PUSH: B(
        V.PUSH, "Do the next step now", "fast_forward", Permission.PUSH_INVOICE,
        "Do the next step now?",
        "What happens next is done at once instead of at its time. This can send the invoice and charge the customer.",
        "The next step of {invoice} has been started.",
    ),
    V.PAUSE: B(
        V.PAUSE, "Hold back", "pause_circle", Permission.PAUSE_INVOICE,
        "Hold this invoice back?",
        "It is not issued, its payment is not tried again by us and nobody is reminded until somebody resumes it. What "
        "Stripe does by itself goes on.",
        "{invoice} is held back.",
        asks=("reason",),
    ),
    V.PAY: B(
        V.PAY, "Charge now", "credit_card", Permission.PAY_INVOICE,
        "Charge what is still due now?",
        "Stripe charges the payment method below at once. Nothing is charged where it was paid meanwhile.",
        "{invoice} is being charged.",
        asks=("method",),
    ),
    V.MARK_PAID: B(
        V.MARK_PAID, "Mark as paid", "payments", Permission.MARK_INVOICE_PAID,
        "Mark this invoice as paid?",
        "Use this when the money arrived outside Stripe. The invoice is closed, in Stripe too, and nothing is charged.",
        "{invoice} is marked as paid.",
    ),
    V.CHANGE_DUE_DATE: B(
        V.CHANGE_DUE_DATE, "Change due date", "event", Permission.CHANGE_DUE_DATE,
        "Change the due date of this invoice?",
        "It is printed on the invoice, and Stripe is told. Leave it empty for the days until due of the billing "
        "settings. An invoice that is charged automatically has no due date.",
        "The due date of {invoice} is changed.",
        asks=("day",),
    ),
    V.REGENERATE: B(
        V.REGENERATE, "Generate again", "restart_alt", Permission.REGENERATE_INVOICE,
        "Generate this invoice again?",
        "A new invoice for the same billing cycle takes its place, made of the usage, prices and settings of now. The "
        "payment grace period begins anew.",
        "{invoice} is generated again: this is the new one.",
    ),
    V.SEND: B(
        V.SEND, "Resend e-mail", "forward_to_inbox", Permission.SEND_INVOICE,
        "E-mail this invoice again?",
        "It goes to the customer's present addresses: from us with the PDF as it was issued, or from Stripe where "
        "Stripe sent it.",
        "{invoice} is being e-mailed again.",
    ),
    V.REFUND: B(
        V.REFUND, "Refund", "undo", Permission.REFUND_INVOICE,
        "Refund this invoice?",
        "Stripe gives the money back to the card or account it came from. This cannot be undone.",
        "{invoice} is being refunded.",
        dangerous=True, asks=("amount", "reason"),
    ),
    V.RECORD_PAYMENT: B(
        V.RECORD_PAYMENT, "Record a payment", "account_balance", Permission.MARK_INVOICE_PAID,
        "Record a payment that arrived outside Stripe?",
        "All that remains pays the invoice, in Stripe too; less is a part payment, more is shown as overpaid.",
        "The payment of {invoice} is recorded.",
        asks=("amount", "received_on", "means", "reference"),
    ),
    V.VOID: B(
        V.VOID, "Void", "block", Permission.VOID_INVOICE,
        "Void this invoice?",
        "It is cancelled for good, in Stripe too: nothing will be collected for it. This cannot be undone.",
        "{invoice} is voided.",
        dangerous=True, asks=("reason",),
    ),
    V.MARK_UNCOLLECTIBLE: B(
        V.MARK_UNCOLLECTIBLE, "Mark as uncollectible", "money_off", Permission.GIVE_UP_INVOICE,
        "Give this invoice up as a bad debt?",
        "Nobody chases it any more, in Stripe neither. It may still be paid, or voided.",
        "{invoice} is marked as uncollectible.",
        dangerous=True, asks=("reason",),
    ),
    V.DELETE: B(
        V.DELETE, "Delete", "delete", Permission.DELETE_INVOICE,
        "Delete this invoice?",
        "It has not been issued yet. A billing cycle then has no invoice until somebody generates it again, on the "
        "customer's invoices.",
        "{invoice} is deleted.",
        dangerous=True,
    ),
}  # fmt: skip

ACTS: Mapping[InvoiceVerb, Callable[..., object]] = {
    V.RESUME: pausing.resume,
    V.PAUSE: pausing.pause,
    V.APPROVE: lifecycle.approve,
    V.PUSH: lifecycle.push,
    V.PAY: lifecycle.pay,
    V.CHANGE_DUE_DATE: due_dates.change_due_date,
    V.REGENERATE: regeneration.regenerate,
    V.SEND: lifecycle.send,
    V.MARK_PAID: lifecycle.mark_paid,
    V.RECORD_PAYMENT: by_hand.record_payment,
    V.VOID: lifecycle.void,
    V.MARK_UNCOLLECTIBLE: lifecycle.mark_uncollectible,
    V.DELETE: lifecycle.delete,
    V.REFUND: refunds.refund,
}


# Where nothing is planned any more, the next step is one that a person asks for.
TRY_AGAIN = replace(
    BUTTONS[V.PUSH],
    label="Try the payment again",
    question="Try the payment again now?",
    consequence="The customer's payment method is charged at once. Nothing is charged where it was paid meanwhile.",
    done="The payment of {invoice} is being tried again.",
)


def button_of(invoice: Invoice, name: InvoiceVerb) -> Button:
    """As it is called on this invoice."""
    return TRY_AGAIN if name == V.PUSH and is_collectable(invoice) else BUTTONS[name]


def offered(request: OperatorRequest, invoice: Invoice) -> Sequence[Button]:
    """What this person may do to this invoice now, the primary button first."""
    possible = set(available_actions(invoice))
    named = (button_of(invoice, name) for name in BUTTONS if name in possible)
    return [button for button in named if may(request, button.permission)]


def press(request: OperatorRequest, invoice: Invoice, button: Button) -> tuple[str, object]:
    """Carry it out. Returns the sentence to show, and what the verb did; raises ``Refused`` with another sentence."""
    name = f"Invoice {invoice}" if invoice.number else str(invoice)
    arguments: dict[str, Any] = {"actor": request.actor, "now": request.now, "real_now": request.real_now}
    arguments |= {name: READERS[name](request, invoice) for name in button.asks}
    outcome = ACTS[button.verb](invoice, **arguments)
    return button.done.format(invoice=name), outcome


def _amount(request: OperatorRequest, invoice: Invoice) -> int:
    try:
        return parse_money(request.POST.get("amount", ""), invoice.currency)
    except MoneyError as error:
        raise Invalid({"amount": str(error)}) from error


def _reason(request: OperatorRequest, invoice: Invoice) -> str:
    reason = request.POST.get("reason", "").strip()
    if not reason:
        raise Invalid({"reason": "Say why: it is kept in the invoice's timeline."})
    return reason


def _method(request: OperatorRequest, invoice: Invoice) -> str:
    return checked_method(invoice, request.POST.get("method", ""))


def _day(request: OperatorRequest, invoice: Invoice) -> date | None:
    return read_day(request.POST.get("due_date", ""), "due_date")


def read_day(text: str, field: str) -> date | None:
    """As a browser's date field sends it; None where it was left empty."""
    try:
        return date.fromisoformat(text.strip()) if text.strip() else None
    except ValueError:
        raise Invalid({field: "Give a day as YYYY-MM-DD."}) from None


def _received_on(request: OperatorRequest, invoice: Invoice) -> date | None:
    return read_day(request.POST.get("received_on", ""), "received_on")


def _words(name: str) -> Callable[[OperatorRequest, Invoice], str]:
    return lambda request, invoice: request.POST.get(name, "").strip()[:128]


READERS: Mapping[str, Callable[[OperatorRequest, Invoice], object]] = {
    "amount": _amount,
    "reason": _reason,
    "method": _method,
    "day": _day,
    "received_on": _received_on,
    "means": _words("means"),
    "reference": _words("reference"),
}
