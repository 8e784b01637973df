"""A vendor whose test account lives in the sandbox, reached by the official SDK over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client, override_settings
from django.utils import timezone

from customers.actors import Actor, ActorKind
from customers.models import Customer, Event, Vendor
from invoicing.gateways import Advance, Collection, GatewayInvoice, InvoiceOrder, OrderLine
from invoicing.models import Invoice
from payments.models import StripeConnection, StripeCustomer, StripeEvent
from payments.sandbox.models import Delivery, Fault
from payments.stripe import connect, customers, methods, signature
from payments.stripe.gateway import StripeGateway
from tests.factories import CustomerFactory, VendorFactory
from tests.sandbox_server import StripeSandbox

OPERATOR = Actor(ActorKind.OPERATOR, "olivia@example.com", "1")
SECRET = "whsec_tests"
WEBHOOK = "/webhooks/stripe/"


def order_for(customer: Customer, *amounts: int, **changes: Any) -> InvoiceOrder:
    """An order with a line for each amount, to be charged after Stripe's draft hour unless told otherwise."""
    lines = tuple(
        OrderLine(f"line-{n}", f"Item {n}", amount, "2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00")
        for n, amount in enumerate(amounts)
    )
    terms: dict[str, Any] = {
        "invoice_uuid": str(uuid4()),
        "vendor_id": customer.vendor_id,
        "account": StripeGateway().acting_account(customer.vendor_id),
        "customer_id": customer.pk,
        "number": "INV-00001",
        "currency": "USD",
        "total": sum(amounts),
        "memo": "January",
        "collection": Collection.CHARGE_AUTOMATICALLY,
        "days_until_due": 14,
        "advance": Advance.SCHEDULED,
        "lines": lines,
    }
    return InvoiceOrder.from_json(json.loads(json.dumps({**InvoiceOrder(**terms).as_json(), **changes})))


@dataclass
class Shop:
    """The vendor, its connection, and the sandbox behind it."""

    sandbox: StripeSandbox
    vendor: Vendor
    connection: StripeConnection

    @property
    def account(self) -> str:
        return self.connection.account_id

    def customer(self, card: str = "pm_card_visa", *, default: bool = True, **fields: Any) -> Customer:
        """A customer with its Stripe counterpart and, unless ``card`` is empty, a card there."""
        customer: Customer = CustomerFactory.create(vendor=self.vendor, **fields)
        row = customers.generate(customer, actor=OPERATOR, real_now=timezone.now())
        assert row.state == StripeCustomer.State.LINKED, row.last_error
        if card:
            self.attach(row, card, default=default)
        return customer

    def attach(self, row: StripeCustomer, card: str, *, default: bool = True) -> str:
        """A card as a person adds it in Stripe; our copy learns of it as a webhook would make it."""
        method = self.stripe.payment_methods.attach(card, {"customer": row.external_id})
        if default:
            settings: Any = {"default_payment_method": method.id}
            self.stripe.customers.update(row.external_id, {"invoice_settings": settings})
        methods.refresh(row, actor=OPERATOR, real_now=timezone.now())
        return method.id

    @property
    def stripe(self) -> Any:
        return self.sandbox.client().v1

    def issue(self, order: InvoiceOrder, key: str = "inv-1") -> GatewayInvoice:
        return StripeGateway().issue_invoice(order, idempotency_key=key, remember=lambda found: None)

    def mark(self) -> int:
        return len(self.sandbox.traffic.exchanges)

    def calls(self, since: int) -> list[tuple[str, str]]:
        return self.sandbox.traffic.calls(since=since)

    def fail(self, path: str, kind: str = "timeout_before", times: int = 3, method: str = "") -> None:
        """Let the next calls go wrong; three outlast the SDK's own retries."""
        Fault.objects.create(path_regex=path, kind=kind, times=times, method=method)

    def mend(self) -> None:
        Fault.objects.all().delete()

    def events_sent(self) -> list[dict[str, Any]]:
        """What the sandbox means to deliver, oldest first."""
        return [d.event.data for d in Delivery.objects.select_related("event").order_by("pk")]

    def deliver(self, events: Sequence[dict[str, Any]] | None = None) -> None:
        for event in self.events_sent() if events is None else events:
            answer = post(event)
            assert answer.status_code == 200, answer.content

    def move_clock(self, **delta: float) -> None:
        """As the portal does it, with the sandbox following."""
        from payments.sandbox.participant import SandboxClock

        self.vendor.clock_offset += timedelta(**delta)
        self.vendor.save()
        SandboxClock().follow(self.vendor)
        self.sandbox.settle()

    def kinds(self) -> list[str]:
        """What has happened since the account was connected."""
        told = Event.objects.of(self.vendor).exclude(kind="stripe.connected")
        return list(told.order_by("pk").values_list("kind", flat=True))


def post(event: Any, *, secret: str = SECRET, at: datetime | None = None, header: str | None = None) -> Any:
    """A delivery, signed like Stripe's."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    moment = int((at or timezone.now()).timestamp())
    signed = signature.sign(body, secret, at=moment) if header is None else header
    return Client().post(WEBHOOK, body, content_type="application/json", headers={"Stripe-Signature": signed})


def an_event(owner: str, kind: str = "invoice.paid", **changes: Any) -> dict[str, Any]:
    """About an invoice that is none of ours, unless told otherwise."""
    return {
        "id": f"evt_{uuid4().hex}",
        "object": "event",
        "account": owner,
        "livemode": False,
        "type": kind,
        "data": {"object": {"id": "in_foreign", "object": "invoice", "metadata": {}}},
        **changes,
    }


def stored() -> list[tuple[str, str]]:
    return list(StripeEvent.objects.order_by("pk").values_list("type", "state"))


def our_invoice(
    customer: Customer, order: InvoiceOrder, external_id: str = "", status: str = "INVOICE_ISSUED"
) -> Invoice:
    """The row as it stands after the issue step."""
    now = timezone.now()
    return Invoice.objects.create(
        uuid=order.invoice_uuid,
        vendor=customer.vendor,
        customer=customer,
        status=status,
        number="INV-00001",
        currency=order.currency,
        sub_total=order.total,
        amount_due=order.total,
        period_start=now,
        period_end=now,
        min_item_start_time=now,
        max_item_end_time=now,
        issue_date=now,
        generated_at=now,
        issued_at=now,
        gateway="stripe" if external_id else "",
        gateway_account=order.account if external_id else "",
        external_invoice_id=external_id,
    )


def issued(shop: Shop, customer: Customer, *amounts: int, **terms: Any) -> Invoice:
    order = order_for(customer, *amounts, **terms)
    return our_invoice(customer, order, shop.issue(order, order.invoice_uuid).external_id)


@pytest.fixture
def shop(stripe_sandbox: StripeSandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setattr("stripe._http_client.HTTPClient._sleep_time_seconds", lambda *args, **kwargs: 0)
    vendor: Vendor = VendorFactory.create()
    with override_settings(
        STRIPE_TEST_SECRET_KEY=stripe_sandbox.secret_key, STRIPE_WEBHOOK_SECRETS=["whsec_old", SECRET]
    ):
        connection = connect.attach(vendor, stripe_sandbox.account, livemode=False, real_now=timezone.now())
        yield Shop(stripe_sandbox, vendor, connection)


@pytest.fixture
def account(db: None) -> Iterator[str]:
    """A connected account that nothing is asked of: Stripe cannot be reached."""
    connection = connect.attach(VendorFactory.create(), "acct_1", livemode=False, real_now=timezone.now())
    with override_settings(STRIPE_API_BASE="http://127.0.0.1:9", STRIPE_WEBHOOK_SECRETS=["whsec_old", SECRET]):
        yield connection.account_id
