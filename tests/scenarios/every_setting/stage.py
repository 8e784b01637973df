"""A vendor at midnight of 1 March 2026, its customers, and what can be done for one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from io import BytesIO
from typing import Any
from uuid import uuid4

import stripe
from django.db.models import F, Q
from pypdf import PdfReader

from customers.actors import SCHEDULE
from customers.models import Customer, Vendor
from customers.settings import verbs
from customers.settings.policy import policy_for
from invoicing.gateways import GatewayInvoice, GatewayPayment, GatewayStatus
from invoicing.invoices.collection import settle
from invoicing.invoices.generation import generate_due
from invoicing.invoices.issue import issue
from invoicing.invoices.papers import keep_document
from invoicing.invoices.reminders import remind_due
from invoicing.models import BillingCycle, Invoice, LogoFile, Measurement, OutgoingEmail, PricePlan, Subscription
from invoicing.subscriptions.advance import end_due_cycles
from invoicing.subscriptions.rules import planned_cycle
from invoicing.subscriptions.verbs import subscribe
from payments.models import StripeCustomer
from payments.stripe import connect, customers
from tests.factories import (
    CustomerFactory,
    InvoiceFactory,
    LineItemFactory,
    MeteredComponentFactory,
    MeterFactory,
    PricePlanFactory,
    SubscriptionFactory,
    VendorFactory,
)
from tests.invoicing.documents.samples import a_logo
from tests.world import OPERATOR, utc

NOW = utc(2026, 3, 1)
BY: dict[str, Any] = {"actor": OPERATOR, "now": NOW, "real_now": NOW}


@dataclass
class Stage:
    sandbox: stripe.StripeClient
    account: str
    vendor: Vendor = field(default_factory=lambda: VendorFactory.create(name="northwind", display_name="Northwind"))

    # Settings, saved as a person or the API saves them

    def save(self, values: Mapping[str, Any]) -> None:
        verbs.save_vendor_settings(self.vendor, values, **BY)

    def override(self, customer: Customer, values: Mapping[str, Any]) -> None:
        verbs.save_override(customer, values, **BY)

    def customer(self, name: str) -> Customer:
        return CustomerFactory.create(vendor=self.vendor, name=name, country="US", zipcode="10001")

    # Invoices, each a new one

    @cached_property
    def plan(self) -> PricePlan:
        """$100 a month, of a minimum of $120."""
        return PricePlanFactory.create(vendor=self.vendor, base_price=10_000, minimum_charge=12_000)

    def ended_cycle(self, customer: Customer) -> BillingCycle:
        """February, which ends at this moment."""
        subscription = SubscriptionFactory.create(
            customer=customer, price_plan=self.plan, effective_at=utc(2026, 2, 1), expired_at=NOW
        )
        cycle = planned_cycle(subscription, self.vendor.zone, 0)
        cycle.save()
        end_due_cycles(BillingCycle.objects.filter(pk=cycle.pk), limit=1, real_now=NOW)
        return BillingCycle.objects.get(pk=cycle.pk)

    def generated(self, customer: Customer) -> Invoice:
        cycle = self.ended_cycle(customer)
        assert generate_due(BillingCycle.objects.filter(pk=cycle.pk), limit=1, real_now=NOW) == 1
        return self.again(Invoice.objects.get(cycle=cycle))

    def waiting(self, customer: Customer, **fields: Any) -> Invoice:
        """$10, about to be issued."""
        invoice = InvoiceFactory.create(customer=customer, issued_at=None, paid_at=None, issue_date=NOW, **fields)
        LineItemFactory.create(invoice=invoice, amount=1000)
        return invoice

    def issued(self, customer: Customer) -> Invoice:
        invoice = self.waiting(customer)
        issue(invoice, real_now=NOW)
        return self.again(invoice)

    def open(self, customer: Customer, **fields: Any) -> Invoice:
        """Issued three weeks ago."""
        issued_at = NOW - timedelta(days=21)
        state = {"status": "INVOICE_ISSUED", "issued_at": issued_at, "paid_at": None, "next_action": ""}
        return InvoiceFactory.create(customer=customer, next_action_at=None, **{**state, **fields})

    def declined(self, customer: Customer) -> Invoice:
        """An invoice in Stripe whose payment failed at this moment."""
        external_id = f"in_{uuid4().hex}"
        invoice = self.open(customer, gateway="stripe", external_invoice_id=external_id)
        payment = GatewayPayment(f"pi_{uuid4().hex}", False, 1000, "Visa ending in 0341", NOW, error="Declined.")
        state = GatewayInvoice(external_id, GatewayStatus.OPEN, "charge_automatically", payments=(payment,))
        settle(external_id, state, real_now=NOW)
        return self.again(invoice)

    def looked_at(self, customer: Customer, *, due_in_days: int) -> Invoice:
        """An open invoice after the look for due reminders."""
        due_date = NOW + timedelta(days=due_in_days)
        invoice = self.open(customer, due_date=due_date, next_reminder_at=NOW)
        remind_due(Q(pk=invoice.pk), real_now=NOW)
        return invoice

    def again(self, invoice: Invoice) -> Invoice:
        return Invoice.objects.select_related("vendor", "customer").get(pk=invoice.pk)

    # What came of it

    def printed(self, invoice: Invoice) -> str:
        """The text of the document that is kept."""
        keep_document(invoice, policy_for(invoice.customer), NOW)
        pages = PdfReader(BytesIO(bytes(invoice.document.pdf))).pages
        return " ".join(" ".join(page.extract_text() for page in pages).split())

    def pictures(self, invoice: Invoice) -> int:
        keep_document(invoice, policy_for(invoice.customer), NOW)
        [page] = PdfReader(BytesIO(bytes(invoice.document.pdf))).pages
        return len(page.images)

    def keep_logo(self, url: str) -> None:
        LogoFile.objects.get_or_create(vendor=self.vendor, url=url, defaults={"data": a_logo().data, "fetched_at": NOW})

    def written(self, invoice: Invoice, kind: str) -> list[str]:
        """The occasions of the e-mails that were written to the customer."""
        rows = OutgoingEmail.objects.filter(invoice=invoice, kind=kind)
        return list(rows.order_by("pk").values_list("occasion", flat=True))

    def subscribed(self, customer: Customer, plan: PricePlan | None = None) -> Subscription:
        """From the middle of a month; an earlier one makes room for it."""
        Subscription.objects.filter(customer=customer).update(expired_at=F("effective_at"))
        by: dict[str, Any] = {"actor": SCHEDULE, "now": NOW, "real_now": NOW}
        return subscribe(customer, plan or self.plan, effective_at=utc(2026, 2, 10), **by)

    @cached_property
    def seats(self) -> PricePlan:
        """$100 a month, and $1 for each seat of the largest number that there were."""
        seats = MeterFactory.create(
            vendor=self.vendor, name="seats", meter_type="GAUGE", data_type="CONTINUOUS",
            reporting_method="TOTAL", aggregation="MAX",
        )  # fmt: skip
        plan = PricePlanFactory.create(vendor=self.vendor, base_price=10_000)
        MeteredComponentFactory.create(price_plan=plan, meter=seats, price_scheme__price=Decimal(100))
        return plan

    def begun(self, customer: Customer) -> BillingCycle:
        """A cycle of 7 seats whose invoice in advance, if there is one, is made; later there are 9."""
        plan = self.seats
        for day, count in ((1, 7), (20, 9)):
            Measurement.objects.update_or_create(
                vendor=self.vendor, customer=customer, meter=plan.metered_components.get().meter,
                time=utc(2026, 2, day), defaults={"value": count, "received_at": NOW},
            )  # fmt: skip
        cycle = self.subscribed(customer, plan).cycles.get()
        generate_due(BillingCycle.objects.filter(pk=cycle.pk), limit=1, real_now=NOW)
        return cycle

    def closed(self, customer: Customer) -> Invoice:
        """The invoice of such a cycle's end."""
        cycle = self.begun(customer)
        Subscription.objects.filter(pk=cycle.subscription_id).update(expired_at=cycle.end)
        end_due_cycles(BillingCycle.objects.filter(pk=cycle.pk), limit=1, real_now=NOW)
        generate_due(BillingCycle.objects.filter(pk=cycle.pk), limit=1, real_now=NOW)
        return self.again(Invoice.objects.get(cycle=cycle))

    # Stripe

    def counterpart(self, customer: Customer) -> StripeCustomer:
        """The customer in Stripe, with a card; connected on first use, because it is not for nothing."""
        if connect.connection_of(self.vendor) is None:
            connect.attach(self.vendor, self.account, livemode=False, real_now=NOW)
        row = StripeCustomer.objects.filter(customer=customer).first()
        return row or self._new_counterpart(customer)

    def _new_counterpart(self, customer: Customer) -> StripeCustomer:
        row = customers.generate(customer, actor=SCHEDULE, real_now=NOW)
        card = self.attach(row)
        defaults: Any = {"default_payment_method": card}
        self.sandbox.v1.customers.update(row.external_id, {"invoice_settings": defaults})
        return row

    def attach(self, row: StripeCustomer) -> str:
        return self.sandbox.v1.payment_methods.attach("pm_card_visa", {"customer": row.external_id}).id

    def in_stripe(self, customer: Customer) -> Any:
        """A new invoice as Stripe holds it after the issue step; None where that made none."""
        self.counterpart(customer)
        invoice = self.issued(customer)
        assert invoice.invoicing_error == ""
        found = invoice.external_invoice_id
        return self.sandbox.v1.invoices.retrieve(found) if found else None

    def customer_in_stripe(self, customer: Customer) -> Any:
        return self.sandbox.v1.customers.retrieve(self.counterpart(customer).external_id)
