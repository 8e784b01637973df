"""One vendor, one customer, and what is written down about them, so that two orders of events can be compared."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db.models import Q

from customers.actors import Actor, ActorKind
from customers.errors import Missing
from customers.events.models import Event
from customers.models import BillingSettings, Customer, Vendor
from invoicing.gateways import get_gateway
from invoicing.invoices import advance
from invoicing.invoices.collection import settle
from invoicing.models import (
    BillingCycle,
    Invoice,
    NumberSeries,
    OutgoingEmail,
    Payment,
    PricePlan,
    Refund,
    Subscription,
)
from tests.concurrency.gateway import ACCOUNT, Held, Stripe
from tests.factories import CustomerFactory, InvoiceFactory, LineItemFactory, PricePlanFactory, VendorFactory

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
BEGIN, END = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
OLIVIA = Actor(ActorKind.OPERATOR, "olivia@example.com", "1")
BY: dict[str, Any] = {"actor": OLIVIA, "now": NOW, "real_now": NOW}
REASON = {"reason": "It was asked for."}

_names = itertools.count(1)


class Scene:
    """Fresh rows. Verbs find what they act on anew each time, as a request does."""

    def __init__(self, **values: Any) -> None:
        name = f"vendor-{next(_names)}"
        self.vendor: Vendor = VendorFactory(name=name, is_test=False)
        BillingSettings.objects.create(vendor=self.vendor, updated_at=NOW, **values)
        self.customer: Customer = CustomerFactory(vendor=self.vendor, name="acme", currency="USD")
        self.first: Invoice | None = None

    @property
    def stripe(self) -> Stripe:
        gateway = get_gateway("stripe")
        assert isinstance(gateway, Stripe)
        return gateway

    def plan(self, **fields: Any) -> PricePlan:
        return PricePlanFactory(vendor=self.vendor, **fields)

    def subscription(self, plan: PricePlan | None = None) -> Subscription:
        return Subscription.objects.create(
            vendor=self.vendor, customer=self.customer, price_plan=plan or self.plan(), effective_at=BEGIN,
            created_at=BEGIN,
        )  # fmt: skip

    def cycle(self, **fields: Any) -> BillingCycle:
        """The one that ended at ``END``."""
        given = {"subscription": None, "index": 0, "start": BEGIN, "end": END, "ended_at": END, **fields}
        given["subscription"] = given["subscription"] or self.subscription()
        return BillingCycle.objects.create(vendor=self.vendor, customer=self.customer, **given)

    def invoice(self, **fields: Any) -> Invoice:
        """Without a number, with one line, of a cycle that has ended."""
        given = {"number": "", "issued_at": None, "paid_at": None, "cycle": None, "generated_at": END, **fields}
        cycle = given["cycle"] or self.cycle()
        given |= {"cycle": cycle, "subscription": cycle.subscription}
        made: Invoice = InvoiceFactory(customer=self.customer, uuid=uuid4(), sub_total=9900, **given)
        LineItemFactory(invoice=made, position=0, amount=9900)
        self.first = made
        return made

    def issued(self, status: str = "INVOICE_ISSUED", **fields: Any) -> Invoice:
        at = {"number": f"INV-{next(_names)}", "issued_at": END, "next_action": "", "next_action_at": None}
        return self.invoice(status=status, **{**at, **fields})

    def held(self, status: str = "INVOICE_ISSUED", *, collection: str, **fields: Any) -> Invoice:
        """Stripe holds it, too."""
        number = f"in_{next(_names)}"
        there = {"gateway": "stripe", "gateway_account": ACCOUNT, "external_invoice_id": number}
        invoice = self.issued(status, **there, gateway_status="open", gateway_collection=collection, **fields)
        self.stripe.hold(Held(number, self.vendor.pk, invoice.amount_due, collection))
        return invoice

    # Finding what there is

    def current(self) -> Invoice:
        """The invoice, as somebody finds who looks for it now. Raises ``Missing``."""
        found = Invoice.objects.of(self.vendor).select_related("vendor", "customer").order_by("pk").first()
        if found is None:
            raise Missing("There is no invoice.")
        return found

    def again(self) -> Customer:
        found = Customer.objects.of(self.vendor).select_related("vendor").filter(pk=self.customer.pk).first()
        if found is None:
            raise Missing("There is no customer.")
        return found

    # What the schedule does

    def due(self) -> Q:
        return Q(vendor=self.vendor, next_action_at__lte=NOW)

    def step(self) -> None:
        """Claim what is due, number it, and take its step, as beat and a worker do."""
        found: list[tuple[int, Any]] = []
        advance.hand_out(self.due(), real_now=NOW, hand_over=lambda pk, token: found.append((pk, token)))
        for pk, token in found:
            advance.perform(pk, token, real_now=NOW)

    def tick(self) -> None:
        """All that is due: cycles end, invoices are generated, steps taken."""
        found: list[tuple[int, Any]] = []
        advance.advance(self.due(), real_now=NOW, hand_over=lambda pk, token: found.append((pk, token)))
        for pk, token in found:
            advance.perform(pk, token, real_now=NOW)

    def news(self) -> None:
        """Stripe's webhooks come, whatever changed there. Raises ``StillIssuing``."""
        for held in [one for one in self.stripe.held.values() if one.vendor == self.vendor.pk]:
            settle(held.id, self.stripe.state(held.id), real_now=NOW)

    def rest(self) -> None:
        """Until nothing is due, with all of Stripe's news known."""
        self._do_what_is_due()
        if self.stripe.has(self.vendor.pk):
            self.news()
            self._do_what_is_due()

    def _do_what_is_due(self) -> None:
        for _ in range(6):
            if BillingCycle.objects.filter(self.due()).exists():
                self.tick()
            elif Invoice.objects.filter(self.due()).exists():
                self.step()
            else:
                return
        raise AssertionError("it does not come to rest")

    def facts(self) -> dict[str, Any]:
        """What else is compared, beside the books."""
        return {}


def _plain(value: Any) -> Any:
    return value if not isinstance(value, datetime) else round((value - NOW) / timedelta(minutes=1))


INVOICE = (
    "status", "sub_total", "amount_due", "amount_paid", "amount_overpaid", "is_approved", "next_action",
    "next_action_at", "issue_date", "chosen_due_date", "gateway_status", "gateway", "last_error", "payment_error",
    "invoicing_error",
)  # fmt: skip
CYCLE = ("index", "start", "end", "next_action", "next_action_at", "opened")


def facts(scene: Scene) -> dict[str, Any]:
    """What is true now, without names, numbers and times of writing."""
    vendor = scene.vendor
    invoices = Invoice.objects.of(vendor).order_by("period_start", "pk")
    of_mine = {"invoice__vendor": vendor}
    return {
        "invoices": [
            (*(_plain(getattr(one, name)) for name in INVOICE), bool(one.number), bool(one.paused_at),
             bool(one.external_invoice_id), sorted(one.line_items.values_list("amount", flat=True)))
            for one in invoices
        ],
        "cycles": [
            tuple(_plain(getattr(one, name)) for name in CYCLE)
            for one in BillingCycle.objects.of(vendor).order_by("start", "pk")
        ],
        "payments": sorted(Payment.objects.filter(**of_mine).values_list("state", "amount", "is_by_hand", "excess")),
        "refunds": sorted(Refund.objects.filter(**of_mine).values_list("state", "amount")),
        "emails": Counter(OutgoingEmail.objects.of(vendor).values_list("kind", flat=True)),
        "numbers": list(NumberSeries.objects.filter(vendor=vendor).values_list("next_value", flat=True)),
        "stripe": scene.stripe.facts(vendor.pk),
        **scene.facts(),
    }  # fmt: skip


def events(scene: Scene) -> Counter[str]:
    return Counter(Event.objects.of(scene.vendor).values_list("kind", flat=True))
