"""The interface a payment gateway implements: small frozen values in, outcomes and two kinds of error out.

Gateways are found by dotted path (``settings.PAYMENT_GATEWAYS``), as Django finds e-mail backends, so
that this room never imports the one above it. A gateway answers unasked news (webhooks) by calling
``invoicing.invoices.collection.settle`` with a ``GatewayInvoice``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

GATEWAY = "stripe"
"""The one there is beside our own e-mails."""


class Collection(StrEnum):
    """Who starts the payment: the gateway by itself, or the customer who is sent the invoice."""

    CHARGE_AUTOMATICALLY = "charge_automatically"
    SEND_INVOICE = "send_invoice"


class Advance(StrEnum):
    """What the gateway may do once the invoice is complete and its total agrees with ours."""

    DRAFT = "draft"  # nothing: it waits for a person
    SCHEDULED = "scheduled"  # finalize and collect after its own draft window
    AT_ONCE = "at_once"  # finalize now


@dataclass(frozen=True, slots=True)
class OrderLine:
    reference: str
    description: str
    amount: int
    period_start: str
    period_end: str
    group: str = ""  # the component or name it is put together under, where there are too many lines


@dataclass(frozen=True, slots=True)
class OrderTax:
    """Flat tax: the rate, and what it comes to, on top of the lines or contained in them."""

    percentage: str
    amount: int
    name: str = "Tax"
    inclusive: bool = False


@dataclass(frozen=True, slots=True)
class InvoiceOrder:
    """An invoice to be made at the gateway. JSON types only (times are ISO 8601), because it is stored
    before the call and replayed word for word. ``total`` is in minor units and contains ``tax``; where
    ``tax_by_gateway`` the gateway computes tax and adds it. ``account`` is the account that acted for the
    vendor when the order was written: it is not made anywhere else, whatever acts later. ``due_date``: a day that a
    person chose; the customer has to its end, in the vendor's zone (``schedule.end_of_day``). None: it is due
    ``days_until_due`` days after it is issued."""

    invoice_uuid: str
    vendor_id: int
    account: str
    customer_id: int
    number: str
    currency: str
    total: int
    memo: str
    collection: str
    days_until_due: int
    advance: str
    lines: tuple[OrderLine, ...]
    footer: str = ""
    tax: OrderTax | None = None
    tax_by_gateway: bool = False
    due_date: date | None = None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "due_date": self.due_date and self.due_date.isoformat()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> InvoiceOrder:
        tax = OrderTax(**data["tax"]) if data.get("tax") else None
        due = date.fromisoformat(data["due_date"]) if data.get("due_date") else None
        lines = tuple(OrderLine(**line) for line in data["lines"])
        return cls(**{**data, "lines": lines, "tax": tax, "due_date": due})


class GatewayStatus(StrEnum):
    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"


class Retry(StrEnum):
    """What may follow a payment that failed."""

    AGAIN = "again"  # try it again on schedule
    CUSTOMER = "customer"  # wait: the customer has to confirm it in person
    NEVER = "never"  # wait: not with this payment method, ever


class Waiting(StrEnum):
    """Whom a payment that is neither made nor failed waits for."""

    NOBODY = ""
    BANK = "bank"
    CUSTOMER = "customer"


@dataclass(frozen=True, slots=True)
class GatewayPayment:
    """One attempt to collect at the gateway. ``method`` is in words: "Visa ending in 4242". While it waits for the
    customer its id is that of the ``intent``, which the attempt that completes it will name."""

    external_id: str
    succeeded: bool
    amount: int
    method: str
    occurred_at: datetime
    error_code: str = ""
    error: str = ""
    retry: Retry = Retry.AGAIN
    waiting: Waiting = Waiting.NOBODY
    intent: str = ""


@dataclass(frozen=True, slots=True)
class GatewayTax:
    """Tax as the gateway computed it, and the total with it. ``is_final``: it will not change any more."""

    amount: int
    total: int
    is_final: bool


@dataclass(frozen=True, slots=True)
class GatewayInvoice:
    """The present state of an invoice at the gateway.

    ``note`` tells a person of a rule that was applied ("No usable payment method: sent instead"), ``refused`` why a
    call did nothing. ``retries_itself``: the gateway tries failed payments again by its own schedule, so nobody else
    may. ``tax`` is given where the gateway computed it. ``seen_at`` is the real time from which this is known to be
    so; None: not compared with what is seen at other times. ``amount_from_balance`` is what the customer's balance
    there covered, or (negative) what was owed from before and is collected with it.
    """

    external_id: str
    status: GatewayStatus
    collection: str
    number: str = ""
    hosted_url: str = ""
    due_date: datetime | None = None
    amount_paid: int = 0
    payments: tuple[GatewayPayment, ...] = ()
    finalized_at: datetime | None = None
    next_attempt_at: datetime | None = None
    error: str = ""
    note: str = ""
    refused: str = ""
    amount_overpaid: int = 0
    amount_credited: int = 0
    amount_from_balance: int = 0
    seen_at: datetime | None = None
    retries_itself: bool = False
    tax: GatewayTax | None = None


@dataclass(frozen=True, slots=True)
class ChargeOrder:
    """Money to be taken from a customer's stored payment method, nobody present. JSON types only, because it is
    stored before the call. ``asked_at`` is when that was, by whichever of the clocks is behind."""

    invoice_uuid: str
    vendor_id: int
    account: str
    customer_id: int
    number: str
    currency: str
    amount: int
    asked_at: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class ChargeStatus(StrEnum):
    SUCCEEDED = "succeeded"
    PENDING = "pending"  # the bank has not decided
    FAILED = "failed"
    IMPOSSIBLE = "impossible"  # nothing to charge, or not such an amount: trying again changes nothing


@dataclass(frozen=True, slots=True)
class GatewayCharge:
    """What became of it. ``payment`` is there where a charge was made, ``error`` where it did not succeed.
    ``reference`` is the key it was asked for with."""

    external_id: str
    status: ChargeStatus
    payment: GatewayPayment | None = None
    error: str = ""
    reference: str = ""


class RefundStatus(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class GatewayRefund:
    """The present state of a refund. ``reference`` is ours, where it was asked for here."""

    external_id: str
    status: RefundStatus
    amount: int
    occurred_at: datetime
    reference: str = ""
    error: str = ""


class DisputeStatus(StrEnum):
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    WON = "won"
    LOST = "lost"
    CLOSED = "closed"  # without money having moved: an inquiry that came to nothing, a dispute that was prevented


@dataclass(frozen=True, slots=True)
class GatewayDisputeMovement:
    """Money taken (negative) or given back because of a dispute; ``fee`` is what the gateway keeps for it."""

    external_id: str
    amount: int
    fee: int
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class GatewayDispute:
    """The present state of a dispute of one payment. An inquiry asks before money moves."""

    external_id: str
    status: DisputeStatus
    is_inquiry: bool
    amount: int
    reason: str
    opened_at: datetime
    due_by: datetime | None = None
    movements: tuple[GatewayDisputeMovement, ...] = ()


@dataclass(frozen=True, slots=True)
class GatewayMethod:
    """A payment method that an invoice can be paid with, in words."""

    external_id: str
    words: str
    is_default: bool


class GatewayError(Exception):
    """``message`` can be shown to an operator."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class GatewayUnavailable(GatewayError):
    """No answer, or a passing refusal: try again with the same key; it does not count as a failure."""


class GatewayRejected(GatewayError):
    """A definite no: stop and show it."""


class PaymentGateway(Protocol):
    """``account`` names one of the vendor's accounts there, in words only the gateway reads. An invoice is acted on
    through the account that holds it."""

    code: str

    def acting_account(self, vendor_id: int) -> str:
        """Where invoices of this vendor are made now; empty where none is connected. Makes no call."""

    def can_act(self, account: str) -> bool:
        """Whether the account still lets us act, as far as is known. Makes no call."""

    def issue_invoice(
        self, order: InvoiceOrder, *, idempotency_key: str, remember: Callable[[str], None]
    ) -> GatewayInvoice:
        """Make the invoice. Safe to call again with the same order and key: the outcome is the same one.

        ``remember`` is called with the gateway's id as soon as it is known. Called outside transactions.
        Raises ``GatewayUnavailable`` or ``GatewayRejected``; after a rejection nothing is left behind.
        """

    def collect(
        self, account: str, external_id: str, *, idempotency_key: str, known: int, method: str = ""
    ) -> GatewayInvoice:
        """Try to charge an open invoice now, with this method or the usual one.

        The present state is read first. Nothing is charged where it is paid, where a payment is under way, or where
        more than ``known`` attempts have been made: then this one, whose answer was lost, may be among them. A
        decline is no error: it is among the payments of the answer; any other refusal is in ``refused``.
        """

    def send_invoice(self, account: str, external_id: str, *, idempotency_key: str) -> GatewayInvoice:
        """Let the gateway e-mail the invoice (again)."""

    def charge(
        self, order: ChargeOrder, *, idempotency_key: str, again: bool, remember: Callable[[str], None]
    ) -> GatewayCharge:
        """Charge the stored payment method. A decline is no error. ``again``: an earlier call may have been carried
        out although its answer was lost, so that is looked for first. Charged once, however often it is called."""

    def void_invoice(self, account: str, external_id: str, *, idempotency_key: str) -> GatewayInvoice:
        """Void it, or delete it where it is still a draft. Already void is success; paid meanwhile is ``refused``."""

    def mark_uncollectible(self, account: str, external_id: str, *, idempotency_key: str) -> GatewayInvoice:
        """Give it up. Already given up is success; paid or void meanwhile is ``refused``."""

    def mark_paid(self, account: str, external_id: str, *, idempotency_key: str) -> GatewayInvoice:
        """The money arrived outside the gateway."""

    def refund(
        self, account: str, external_id: str, amount: int, *, reference: str, idempotency_key: str
    ) -> GatewayRefund:
        """Give back part of what was paid for the invoice, or of the charge that has this id. Safe to call again
        with the same reference and key: the money goes back once."""

    def fetch_invoice(self, account: str, external_id: str) -> GatewayInvoice:
        """Its present state."""

    def payment_methods(self, account: str, customer_id: int) -> list[GatewayMethod]:
        """What the customer's invoices can be paid with, the default first, as last seen. Makes no call."""


@cache
def get_gateway(code: str) -> PaymentGateway:
    gateway: PaymentGateway = import_string(settings.PAYMENT_GATEWAYS[code])()
    return gateway
