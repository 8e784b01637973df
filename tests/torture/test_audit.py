"""The audit finds what it is there to find: sound books pass, and each way of spoiling them breaks its rule."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing_portal.torture.audit import CHECKS, audit
from customers.actors import SCHEDULE
from customers.events.models import DeliveryState, Event, SubjectKind, WebhookDelivery, WebhookEndpoint
from invoicing.models import (
    BillingCycle,
    Invoice,
    IssueAttempt,
    LineItem,
    Measurement,
    OutgoingEmail,
    Payment,
    Refund,
)
from payments.models import StripeEvent
from payments.sandbox.models import StoredObject
from tests.factories import InvoiceFactory, LineItemFactory, MeasurementFactory, SubscriptionFactory

pytestmark = pytest.mark.django_db

START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2026, 2, 1, tzinfo=UTC)
"""The only month: nine were used, at a dollar each, on top of one dollar."""


class Books:
    """One customer, one month, one invoice: paid through Stripe, half a dollar refunded, everybody told."""

    def __init__(self) -> None:
        self.subscription = SubscriptionFactory.create(effective_at=START)
        self.customer = self.subscription.customer
        self.vendor = self.customer.vendor
        self.cycle = self._cycle(0, START, END, ended_at=END)
        self._cycle(1, END, timezone.now() + timedelta(days=9))
        self.measurement = MeasurementFactory.create(customer=self.customer, value=9, time=START + timedelta(days=3))
        self.invoice = self._invoice()
        self.payment = Payment.objects.create(
            invoice=self.invoice, state="succeeded", amount=1000, external_id="ch_1", occurred_at=END
        )
        self.refund = Refund.objects.create(
            invoice=self.invoice, state="succeeded", amount=50, external_id="re_1", created_at=END,
            actor_kind=SCHEDULE.kind, actor_label=SCHEDULE.label,
        )  # fmt: skip
        self.there = self.stripe("invoice", "in_1", "paid", metadata=self.mark)
        self.charge = self.stripe("charge", "ch_1", "succeeded", amount=1000)
        self.refunded = self.stripe("refund", "re_1", "succeeded", amount=50)
        self.stripe("customer", "cus_1", metadata={"portal_customer": "1"})
        self.events = [self.tell(kind, n) for n, kind in enumerate(("generated", "issued", "paid"), 1)]

    @property
    def mark(self) -> dict[str, str]:
        return {"portal_invoice": str(self.invoice.uuid), "portal_number": self.invoice.number}

    def _cycle(self, index: int, start: datetime, end: datetime, **more: Any) -> BillingCycle:
        who = {"vendor": self.vendor, "customer": self.customer, "subscription": self.subscription}
        return BillingCycle.objects.create(index=index, start=start, end=end, **who, **more)

    def _invoice(self) -> Invoice:
        paid = {"status": "INVOICE_PAID", "next_action": "", "next_action_at": None, "number": "INV-1"}
        there = {"gateway": "stripe", "external_invoice_id": "in_1"}
        made = InvoiceFactory.create(customer=self.customer, cycle=self.cycle, amount_paid=1000, **paid, **there)
        LineItemFactory.create(invoice=made, position=0, kind="BASE_PRICE", amount=100, quantity=None)
        LineItemFactory.create(invoice=made, position=1, kind="METERED_COMPONENT", amount=900, quantity=9)
        IssueAttempt.objects.create(
            invoice=made, number=1, channel="gateway", state="succeeded", idempotency_key="k", started_at=END,
            real_started_at=END,
        )  # fmt: skip
        return made

    def stripe(self, kind: str, id_: str, status: str = "", **data: Any) -> StoredObject:
        known = {"account": "acct_1", "livemode": False, "object": kind, "stripe_id": id_, "status": status}
        return StoredObject.objects.create(created=1, data={"id": id_, **data}, **known)

    def tell(self, kind: str, sequence: int) -> Event:
        """Written, dispatched and delivered."""
        event = Event.objects.create(
            vendor=self.vendor, kind=f"invoice.{kind}", subject_kind=SubjectKind.INVOICE, subject_id=self.invoice.pk,
            actor_kind=SCHEDULE.kind, actor_label=SCHEDULE.label, occurred_at=END, created_at=END, dispatched_at=END,
            sequence=sequence,
        )  # fmt: skip
        known = {"vendor": self.vendor, "url": "https://example.com/"}
        endpoint, _ = WebhookEndpoint.objects.get_or_create(**known, defaults={"created_at": END})
        delivered = {"state": DeliveryState.DELIVERED, "created_at": END}
        WebhookDelivery.objects.create(vendor=self.vendor, endpoint=endpoint, event=event, **delivered)
        return event

    def broken(self) -> set[str]:
        """The rules that do not hold."""
        found = audit({self.customer.name: 9}, [event.uuid.hex for event in self.events])
        return {name for name, lines in found.items() if lines}


def _another_email(books: Books) -> None:
    for n in range(2):
        OutgoingEmail.objects.create(
            vendor=books.vendor, invoice=books.invoice, kind="invoice", occasion=f"issue {n}", recipients=[],
            subject="Invoice", message_id=f"<{n}@example.com>", state="succeeded", created_at=END,
        )  # fmt: skip


def _stuck(books: Books) -> None:
    Invoice.objects.filter(pk=books.invoice.pk).update(next_action="refund", next_action_at=END)


def _charged_again(books: Books) -> None:
    books.stripe("charge", "ch_2", "succeeded", amount=1000)
    Payment.objects.create(invoice=books.invoice, state="succeeded", amount=1000, external_id="ch_2", occurred_at=END)


def _unprocessed(books: Books) -> None:
    StripeEvent.objects.create(event_id="evt_1", livemode=False, type="invoice.paid", body={}, received_at=END)


def _half_done(books: Books) -> None:
    IssueAttempt.objects.update(state="sending")


def _no_running_cycle(books: Books) -> None:
    BillingCycle.objects.filter(index=1).update(end=END + timedelta(days=1))


def _unbilled(books: Books) -> None:
    Invoice.objects.update(cycle=None)


SPOILT: dict[str, Callable[[Books], Any]] = {
    "every ended cycle has exactly one invoice": _unbilled,
    "no cycle is skipped or doubled": lambda books: BillingCycle.objects.filter(index=1).update(index=2),
    "the total is the sum of the lines": lambda books: LineItem.objects.filter(position=0).update(amount=99),
    "what was measured in a cycle is what was billed": lambda books: LineItem.objects.update(quantity=8),
    "every running subscription has a running cycle": _no_running_cycle,
    "invoice numbers have no gaps": lambda books: Invoice.objects.update(number="INV-2"),
    "one customer in Stripe each": lambda books: books.stripe("customer", "cus_2", metadata={"portal_customer": "1"}),
    "one invoice in Stripe each": lambda books: books.stripe("invoice", "in_2", "draft", metadata=books.mark),
    "no invoice in Stripe that nobody here knows": lambda books: books.stripe("invoice", "in_2", "draft", metadata={}),
    "every charge in Stripe is a payment here, of the same amount": lambda books: Payment.objects.update(amount=999),
    "every payment here is a charge in Stripe": lambda books: books.charge.delete(),
    "nobody is charged twice": _charged_again,
    "every refund in Stripe was asked for here, of the same amount": lambda books: Refund.objects.update(amount=49),
    "every refund asked for was made once": lambda books: books.refunded.delete(),
    "what Stripe holds as paid, void or open is so here": lambda books: StoredObject.objects.update(status="open"),
    "nothing is stuck without a visible reason": _stuck,
    "no attempt is left half done": _half_done,
    "one event for each fact": lambda books: books.events.append(books.tell("paid", 4)),
    "every state an invoice is in was told": lambda books: books.events[2].delete(),
    "events are counted without gaps": lambda books: Event.objects.filter(sequence=3).update(sequence=4),
    "every webhook of ours was delivered": lambda books: WebhookDelivery.objects.update(state="pending"),
    "every webhook of Stripe's was dealt with": _unprocessed,
    "nobody is told the same twice": _another_email,
    "every measurement that was accepted is kept, once": lambda books: Measurement.objects.all().delete(),
    "every event was heard by the vendor's endpoint": lambda books: books.events.pop(),
}


def test_sound_books_pass() -> None:
    assert Books().broken() == set()


@pytest.mark.parametrize("rule", SPOILT)
def test_spoilt_books_are_found(rule: str) -> None:
    books = Books()
    SPOILT[rule](books)
    assert rule in books.broken()


def test_every_rule_is_tried() -> None:
    assert {check.name for check in CHECKS} < set(SPOILT)
