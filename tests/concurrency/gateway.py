"""Stripe in memory, behind the gateway's interface. Each call is a point at which a verb can be stopped."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from invoicing.gateways import (
    ChargeOrder,
    ChargeStatus,
    Collection,
    GatewayCharge,
    GatewayInvoice,
    GatewayMethod,
    GatewayPayment,
    GatewayRefund,
    GatewayRejected,
    GatewayStatus,
    InvoiceOrder,
    RefundStatus,
)
from tests.concurrency.duel import pass_by

S = GatewayStatus
ACCOUNT = "acct_1"


@dataclass
class Held:
    """An invoice there. ``declines``: so many of the next charges fail."""

    id: str
    vendor: int
    due: int
    collection: str = Collection.CHARGE_AUTOMATICALLY
    status: GatewayStatus = S.OPEN
    amount_paid: int = 0
    payments: list[GatewayPayment] = field(default_factory=list)
    sent: int = 0
    declines: int = 0

    def pay(self, at: datetime, number: int) -> None:
        succeeded = self.declines <= 0
        self.declines -= 1
        self.payments.append(_payment(f"ch_{self.id}_{number}", self.due, succeeded=succeeded, at=at))
        if succeeded:
            self.status, self.amount_paid = S.PAID, self.due


def _payment(external_id: str, amount: int, *, succeeded: bool, at: datetime) -> GatewayPayment:
    problem = {} if succeeded else {"error": "Your card was declined.", "error_code": "card_declined"}
    return GatewayPayment(external_id, succeeded, amount, "Visa ending in 4242", at, **problem)


class Stripe:
    """``settings.PAYMENT_GATEWAYS`` names it; ``get_gateway`` keeps the one there is."""

    code = "stripe"

    def __init__(self) -> None:
        self.held: dict[str, Held] = {}
        self.charges: dict[str, GatewayCharge] = {}
        self.charged: list[tuple[int, int]] = []
        self.refunds: dict[str, GatewayRefund] = {}
        self.refunded: list[tuple[str, int]] = []
        self._made: dict[str, str] = {}
        self._number = itertools.count(1)
        self._alone = threading.RLock()

    def hold(self, held: Held) -> Held:
        return self.held.setdefault(held.id, held)

    def state(self, external_id: str, note: str = "", refused: str = "") -> GatewayInvoice:
        """As of the moment it is asked."""
        with self._alone:
            held = self.held[external_id]
            return GatewayInvoice(
                external_id, held.status, held.collection, amount_paid=held.amount_paid,
                payments=tuple(held.payments), note=note, refused=refused, seen_at=timezone.now(),
            )  # fmt: skip

    def pay(self, external_id: str) -> None:
        """The customer pays, or the account's own schedule charges; not twice."""
        with self._alone:
            held = self.held[external_id]
            if held.status == S.OPEN:
                held.pay(timezone.now(), next(self._number))

    def close(self, external_id: str, status: GatewayStatus) -> str:
        """Why not, where it is closed already in another way."""
        with self._alone:
            held = self.held[external_id]
            if held.status in (S.PAID, S.VOID) and held.status != status:
                return f"It is {held.status}."
            held.status = status
            if status == S.PAID:
                held.amount_paid = held.due
            return ""

    # The interface

    def acting_account(self, vendor_id: int) -> str:
        return ACCOUNT

    def can_act(self, account: str) -> bool:
        return True

    def issue_invoice(
        self, order: InvoiceOrder, *, idempotency_key: str, remember: Callable[[str], None]
    ) -> GatewayInvoice:
        pass_by("call")
        made = self._made.setdefault(idempotency_key, f"in_{order.invoice_uuid}")
        self.hold(Held(made, order.vendor_id, order.total, order.collection))
        remember(made)
        if order.collection == Collection.CHARGE_AUTOMATICALLY:
            self.pay(made)
        return self._answer(made)

    def _answer(self, external_id: str, refused: str = "") -> GatewayInvoice:
        state = self.state(external_id, refused=refused)
        pass_by("answer")
        return state

    def collect(
        self, account: str, external_id: str, *, idempotency_key: str, known: int, method: str = ""
    ) -> GatewayInvoice:
        pass_by("call")
        with self._alone:
            if len(self.held[external_id].payments) <= known:
                self.pay(external_id)
        return self._answer(external_id)

    def send_invoice(self, account: str, external_id: str, *, idempotency_key: str) -> GatewayInvoice:
        pass_by("call")
        with self._alone:
            if self._made.setdefault(idempotency_key, "") == "":
                self._made[idempotency_key] = external_id
                self.held[external_id].sent += 1
        return self._answer(external_id)

    def charge(
        self, order: ChargeOrder, *, idempotency_key: str, again: bool, remember: Callable[[str], None]
    ) -> GatewayCharge:
        pass_by("call")
        with self._alone:
            if idempotency_key not in self.charges:
                payment = _payment(f"ch_{idempotency_key}", order.amount, succeeded=True, at=timezone.now())
                self.charged.append((order.vendor_id, order.amount))
                self.charges[idempotency_key] = GatewayCharge(
                    f"pi_{idempotency_key}", ChargeStatus.SUCCEEDED, payment, reference=idempotency_key
                )
        made = self.charges[idempotency_key]
        remember(made.external_id)
        pass_by("answer")
        return made

    def void_invoice(self, account: str, external_id: str, *, idempotency_key: str) -> GatewayInvoice:
        pass_by("call")
        return self._answer(external_id, self.close(external_id, S.VOID))

    def mark_uncollectible(self, account: str, external_id: str, *, idempotency_key: str) -> GatewayInvoice:
        pass_by("call")
        return self._answer(external_id, self.close(external_id, S.UNCOLLECTIBLE))

    def mark_paid(self, account: str, external_id: str, *, idempotency_key: str) -> GatewayInvoice:
        pass_by("call")
        return self._answer(external_id, self.close(external_id, S.PAID))

    def refund(
        self, account: str, external_id: str, amount: int, *, reference: str, idempotency_key: str
    ) -> GatewayRefund:
        pass_by("call")
        with self._alone:
            if idempotency_key not in self.refunds:
                gone = sum(part for of, part in self.refunded if of == external_id)
                if gone + amount > self.held[external_id].amount_paid:
                    raise GatewayRejected("More than was paid.")
                self.refunded.append((external_id, amount))
                self.refunds[idempotency_key] = GatewayRefund(
                    f"re_{reference}", RefundStatus.SUCCEEDED, amount, timezone.now(), reference
                )
        pass_by("answer")
        return self.refunds[idempotency_key]

    def fetch_invoice(self, account: str, external_id: str) -> GatewayInvoice:
        return self.state(external_id)

    def payment_methods(self, account: str, customer_id: int) -> list[GatewayMethod]:
        return []

    def has(self, vendor_id: int) -> bool:
        return any(one.vendor == vendor_id for one in self.held.values())

    def facts(self, vendor_id: int) -> dict[str, Any]:
        """What it holds of a vendor, to be compared."""
        mine = [one for one in self.held.values() if one.vendor == vendor_id]
        return {
            "invoices": sorted((one.status, one.amount_paid, len(one.payments), one.sent) for one in mine),
            "refunds": sorted(amount for of, amount in self.refunded if self.held[of].vendor == vendor_id),
            "charges": sorted(amount for vendor, amount in self.charged if vendor == vendor_id),
        }
