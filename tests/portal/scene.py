"""A believable vendor, as an operator finds it on 3 March: customers and invoices in every state."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from billing_portal.accounts.models import Membership, Operator, Role
from customers.actors import SCHEDULE, STRIPE, Actor, ActorKind
from customers.events.models import EventKind, SubjectKind
from customers.events.record import Fact, record
from customers.models import BillingSettings, BillingSettingsOverride, Customer, Vendor
from invoicing.invoices.ledger import Payment
from invoicing.invoices.models import InvoiceDocument, IssueAttempt, OutgoingEmail
from invoicing.models import BillingCycle, Invoice, PricePlan, Subscription
from invoicing.usage.models import UnattributedMeasurement
from payments.stripe.models import StripeConnection, StripeCustomer, StripePaymentMethod
from tests.factories import (
    CustomerFactory,
    InvoiceFactory,
    LineItemFactory,
    MappingFactory,
    MeasurementFactory,
    MeteredComponentFactory,
    MeterFactory,
    PricePlanFactory,
    SubscriptionFactory,
    VendorFactory,
)

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
FEBRUARY, MARCH, APRIL = (datetime(2026, month, 1, tzinfo=UTC) for month in (2, 3, 4))
PASSWORD = "correct horse battery staple"
OLIVIA = Actor(ActorKind.OPERATOR, "olivia@example.com", "1")


@dataclass
class Scene:
    vendor: Vendor
    plan: PricePlan
    connection: StripeConnection
    operators: dict[Role, Operator]
    customers: dict[str, Customer] = field(default_factory=dict)
    invoices: dict[str, Invoice] = field(default_factory=dict)


def make_operator(vendor: Vendor, role: Role, email: str = "") -> Operator:
    name = {"first_name": "Olivia", "last_name": "Marsh"}
    operator = Operator.objects.create_user(email or f"{role}@{vendor.name}.example", PASSWORD, **name)
    Membership.objects.create(vendor=vendor, operator=operator, role=role)
    return operator


def make_scene(**vendor_fields: Any) -> Scene:
    fields = {"name": "northwind", "display_name": "Northwind Cloud", "clock_offset": NOW - timezone.now()}
    vendor = VendorFactory(**{**fields, **vendor_fields})
    BillingSettings.objects.create(
        vendor=vendor,
        updated_at=NOW,
        should_send_invoice_to_customers=True,
        invoice_via_octane=False,
        charges_enabled=True,
        invoice_grace_period_length=1,
        payment_grace_period_length=2,
    )
    connection = StripeConnection.objects.create(
        vendor=vendor,
        account_id=f"acct_1{vendor.name}",
        connected_at=datetime(2025, 9, 1, 9, tzinfo=UTC),
        last_webhook_at=timezone.now() - timedelta(minutes=4),
    )
    operators = {role: make_operator(vendor, role) for role in Role}
    scene = Scene(vendor, _plan(vendor), connection, operators)
    _people(scene)
    _unattributed(scene)
    _invoices(scene)
    return scene


def _plan(vendor: Vendor) -> PricePlan:
    requests = MeterFactory(vendor=vendor, name="requests", display_name="API requests", unit_name="requests")
    plan = PricePlanFactory(vendor=vendor, name="growth", display_name="Growth", base_price=9900)
    MeteredComponentFactory(
        price_plan=plan, meter=requests, display_name="API requests", price_scheme__price=Decimal(7)
    )
    return plan


PEOPLE = (
    ("acme", "Acme Robotics", "ap@acme-robotics.example", "visa"),
    ("globex", "Globex Corporation", "billing@globex.example", "mastercard"),
    ("initech", "Initech", "accounts@initech.example", "visa"),
    ("umbrella", "Umbrella Biotech GmbH", "invoices@umbrella.example", "visa"),
    ("hooli", "Hooli", "finance@hooli.example", "amex"),
    ("soylent", "Soylent Foods", "ap@soylent.example", ""),
    ("stark", "Stark Industries", "", "visa"),
    ("wayne", "Wayne Enterprises", "ledger@wayne.example", "visa"),
    ("wonka", "Wonka Confectionery", "willy@wonka.example", ""),
)


def _people(scene: Scene) -> None:
    for place, (name, display_name, email, brand) in enumerate(PEOPLE):
        customer = CustomerFactory(
            vendor=scene.vendor,
            name=name,
            display_name=display_name,
            email=email,
            address_line_1="1 Main Street",
            city="Springfield",
            zipcode="12345",
            country="US",
            created_at=datetime(2025, 9, 1 + place, 9, tzinfo=UTC),
        )
        scene.customers[name] = customer
        MappingFactory(customer=customer)
        _linked(scene, customer, brand)
        _subscribed(scene, customer)
    BillingSettingsOverride.objects.create(
        vendor=scene.vendor,
        customer=scene.customers["wayne"],
        updated_at=NOW,
        invoice_via_octane=True,
        days_until_due=14,
    )


def _linked(scene: Scene, customer: Customer, brand: str) -> None:
    if customer.name == "wonka":
        return
    stripe = StripeCustomer.objects.create(
        vendor=scene.vendor,
        customer=customer,
        connection=scene.connection,
        external_id=f"cus_{scene.vendor.name}_{customer.name}",
        state=StripeCustomer.State.LINKED,
        linked_at=customer.created_at,
    )
    if brand:
        StripePaymentMethod.objects.create(
            stripe_customer=stripe,
            external_id=f"pm_{customer.name}",
            type="card",
            brand=brand,
            last4="4242",
            exp_month=8,
            exp_year=2028,
            is_default=True,
            attached_at=customer.created_at,
        )


def _subscribed(scene: Scene, customer: Customer) -> Subscription | None:
    if customer.name == "wonka":
        return None
    meter = scene.plan.metered_components.get().meter
    for day in (1, 2, 3):
        MeasurementFactory(
            vendor=scene.vendor,
            customer=customer,
            meter=meter,
            value=412 * day,
            time=datetime(2026, 3, day, 8, tzinfo=UTC),
        )
    subscription: Subscription = SubscriptionFactory(
        customer=customer, price_plan=scene.plan, effective_at=datetime(2025, 9, 1, tzinfo=UTC)
    )
    BillingCycle.objects.create(
        vendor=scene.vendor,
        customer=customer,
        subscription=subscription,
        index=6,
        start=MARCH,
        end=APRIL,
        next_action="end",
        next_action_at=APRIL,
    )
    return subscription


def _unattributed(scene: Scene) -> None:
    UnattributedMeasurement.objects.create(
        vendor=scene.vendor,
        reason=UnattributedMeasurement.Reason.NO_CUSTOMER,
        event_name="requests",
        time=NOW - timedelta(hours=2),
        value=Decimal(12),
        labels={"account": "massive-dynamic"},
        received_at=timezone.now(),
    )


def _invoices(scene: Scene) -> None:
    """One in each state a person meets, January's paid ones before them."""
    for place, name in enumerate(["acme", "globex", "initech", "umbrella", "hooli", "wayne"]):
        make_invoice(
            scene, f"{name}-january", name, 142 + place, 17_000 + 913 * place,
            status="INVOICE_PAID", period_start=datetime(2026, 1, 1, tzinfo=UTC), period_end=FEBRUARY,
        )  # fmt: skip
    make_invoice(scene, "generated", "acme", 0, 18_538)
    make_invoice(
        scene, "approval", "globex", 0, 1_204_990, is_approved=False, next_action="approve", next_action_at=None
    )
    make_invoice(
        scene, "issued", "hooli", 148, 42_011, status="INVOICE_ISSUED", gateway="stripe",
        external_invoice_id="in_1hooli", due_date=NOW + timedelta(days=28),
    )  # fmt: skip
    make_invoice(
        scene, "late", "soylent", 131, 9_900, status="INVOICE_ISSUED",
        due_date=NOW - timedelta(days=12), past_due_at=NOW - timedelta(days=12), generated_at=NOW - timedelta(days=44),
    )  # fmt: skip
    make_invoice(
        scene, "payment-failed", "initech", 149, 27_344, status="PAYMENT_FAILED", gateway="stripe",
        external_invoice_id="in_1initech", payment_error="Your card was declined. Its issuer gave no reason.",
    )  # fmt: skip
    make_invoice(
        scene, "issuing-failed", "stark", 150, 31_200, status="INVOICING_FAILED", next_action="issue",
        next_action_at=NOW + timedelta(hours=20), invoice_retry_attempt=1,
        invoicing_error="Stark Industries has no e-mail address, so Stripe cannot send the invoice.",
    )  # fmt: skip
    make_invoice(
        scene, "voided", "umbrella", 128, 5_000, status="INVOICE_VOIDED", generated_at=NOW - timedelta(days=50)
    )
    _story(scene)


def make_invoice(scene: Scene, key: str, customer: str, number: int, amount: int, **fields: Any) -> Invoice:
    status = fields.get("status", "INVOICE_GENERATED")
    known = {"period_start": FEBRUARY, "period_end": MARCH, **fields}
    known.setdefault("generated_at", known["period_end"] + timedelta(days=1))
    known.setdefault("issue_date", known["generated_at"] + timedelta(days=2))
    if status not in ("INVOICE_GENERATED", "INVOICING_FAILED"):
        known |= {"next_action": "", "next_action_at": None}
    invoice: Invoice = InvoiceFactory(
        customer=scene.customers[customer],
        number=f"INV-{number:05d}" if number else "",
        sub_total=amount,
        issued_at=known["issue_date"] if number and status != "INVOICING_FAILED" else None,
        paid_at=known["period_end"] + timedelta(days=3) if status == "INVOICE_PAID" else None,
        voided_at=known["generated_at"] if status == "INVOICE_VOIDED" else None,
        amount_paid=amount if status == "INVOICE_PAID" else 0,
        **known,
    )
    units = max(amount - 9_900, 0)
    LineItemFactory(invoice=invoice, position=0, name="Growth", amount=min(amount, 9_900), quantity=1, unit_price=9_900)
    if units:
        LineItemFactory(
            invoice=invoice, position=1, kind="METERED_COMPONENT", name="API requests", amount=units,
            quantity=Decimal(units) / 7, quantity_unit="requests", unit_price=7,
        )  # fmt: skip
    scene.invoices[key] = invoice
    return invoice


def collect(scene: Scene) -> Invoice:
    """One more invoice, of $90.00, that Stripe has charged; the lists and counts of the scene are without it."""
    collected = make_invoice(
        scene, "collected", "wayne", 120, 9_000, status="INVOICE_PAID", gateway="stripe",
        external_invoice_id="in_1wayne", generated_at=NOW - timedelta(days=90),
    )  # fmt: skip
    Payment.objects.create(
        invoice=collected, state="succeeded", amount=9_000, method="Visa ending in 4242",
        external_id=f"ch_{scene.vendor.name}", occurred_at=NOW - timedelta(days=88),
    )  # fmt: skip
    return collected


def _story(scene: Scene) -> None:
    """What the timelines, attempts and e-mails of two invoices show."""
    failed, paid = scene.invoices["payment-failed"], scene.invoices["acme-january"]
    tell(failed, EventKind.INVOICE_GENERATED, NOW - timedelta(hours=40))
    tell(failed, EventKind.INVOICE_APPROVED, NOW - timedelta(hours=30), OLIVIA)
    tell(failed, EventKind.INVOICE_ISSUED, NOW - timedelta(hours=5))
    tell(failed, EventKind.INVOICE_PAYMENT_FAILED, NOW - timedelta(hours=4), STRIPE, error=failed.payment_error)
    IssueAttempt.objects.create(
        invoice=failed,
        number=1,
        channel="gateway",
        state="succeeded",
        idempotency_key="k-1",
        started_at=NOW - timedelta(hours=5),
        real_started_at=NOW,
    )
    Payment.objects.create(
        invoice=failed,
        state="failed",
        amount=failed.amount_due,
        method="Visa ending in 4242",
        external_id="pi_1initech",
        error_code="card_declined",
        error=failed.payment_error,
        occurred_at=NOW - timedelta(hours=4),
    )
    OutgoingEmail.objects.create(
        vendor=paid.vendor,
        invoice=paid,
        kind="invoice",
        occasion="issue-1",
        recipients=["ap@acme-robotics.example"],
        subject=f"Invoice {paid.number} from Northwind Cloud",
        message_id="<1@northwind>",
        state="succeeded",
        created_at=NOW,
        sent_at=NOW,
    )
    InvoiceDocument.objects.create(invoice=paid, pdf=b"%PDF-1.7 test", created_at=NOW)


def tell(invoice: Invoice, kind: EventKind, at: datetime, actor: Actor = SCHEDULE, **details: str) -> None:
    fact = Fact(kind, SubjectKind.INVOICE, invoice.pk, invoice.customer_id, details=details)
    record(invoice.vendor, fact, actor=actor, now=at, real_now=at)
