"""A customer who was billed by e-mail for two months is handed its data, and forgotten; the books stay whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing_portal.accounts.models import Role
from billing_portal.lists.models import Import
from billing_portal.lists.reading import keep, read_sheet
from customers.directory import Rule, add_mapping, set_metadata, update_customer
from customers.models import Customer, Event, WebhookAttempt, WebhookDelivery
from invoicing.invoices.lifecycle import mark_paid
from invoicing.models import Invoice, Measurement
from invoicing.subscriptions.verbs import end_subscription
from payments.models import StripeConnection, StripeCustomer, StripeEvent
from payments.stripe.models import StripePaymentMethod
from tests.books import everything
from tests.portal.deliveries import failing_delivery
from tests.portal.scene import make_operator
from tests.world import OPERATOR, World, utc

pytestmark = pytest.mark.django_db(transaction=True)

# Each stands for a kind of thing that says who somebody is. None can come up by chance in a key of hexadecimal digits.
WORDS = (
    "zephyrine", "quillfeather", "zq@quillfeather.example", "copy@feather.example", "Plumage Lane", "Nibtown",
    "NQ1 1QN", "+44-1632-960001", "dossier-4711", "account-zq", "GB980780684", "18zq", "laptop-of-zephyrine",
)  # fmt: skip
# The law wants them as they were issued; and of backups and what was sent nothing can be taken back.
KEPT_AS_THEY_ARE = {"invoicing_invoicedocument", "django_session"}


@pytest.fixture
def world() -> World:
    world = World(utc(2026, 1, 1), name="northwind", display_name="Northwind")
    world.settings(should_send_invoice_to_customers=True, send_receipts=True)
    return world


def by(world: World) -> dict[str, Any]:
    return {"actor": OPERATOR, "now": world.now, "real_now": timezone.now()}


@pytest.fixture
def customer(world: World) -> Customer:
    customer = world.customer(
        "zephyrine-q", display_name="Zephyrine Quillfeather", legal_name="Z. Quillfeather",
        email="zq@quillfeather.example", secondary_emails=["copy@feather.example"], phone="+44-1632-960001",
        address_line_1="9 Plumage Lane", city="Nibtown", zipcode="NQ1 1QN", country="GB", vat_id="GB980780684",
        tags=["dossier-4711"], review_reason="",
    )  # fmt: skip
    update_customer(customer, {"display_name": "Zephyrine Quillfeather-Inkwell"}, **by(world))
    set_metadata(customer, {"file": "dossier-4711"}, **by(world))
    add_mapping(customer, Rule("account", "account-zq"), **by(world))
    return customer


def live_through_two_months(world: World, customer: Customer) -> None:
    meter = world.meter(primary_labels=["region"])
    world.subscribe(customer, world.plan((meter, "Requests", Decimal(7))))
    for _ in range(2):
        world.use(customer, meter, 300)
        world.move_by(days=32)
    Measurement.objects.filter(customer=customer).update(
        labels={"account": "account-zq", "device": "laptop-of-zephyrine", "region": "eu"}
    )
    world.override(customer, invoice_memo="For Zephyrine")


def settle(world: World, customer: Customer) -> None:
    end_subscription(Customer.objects.get(pk=customer.pk), **by(world))
    world.move_by(days=2)
    for invoice in world.invoices(customer):
        mark_paid(invoice, **by(world))
    world.rest()


def at_stripe_and_elsewhere(world: World, customer: Customer) -> None:
    vendor, now = world.vendor, timezone.now()
    there = StripeConnection.objects.create(vendor=vendor, account_id="acct_1", connected_at=now)
    linked = StripeCustomer.objects.create(
        vendor=vendor, customer=customer, connection=there, external_id="cus_1", state="linked",
        request={"name": "Zephyrine"},
    )  # fmt: skip
    card = {"external_id": "pm_1", "type": "card", "last4": "18zq"}
    StripePaymentMethod.objects.create(stripe_customer=linked, attached_at=now, **card)
    body = {"data": {"object": {"customer": "cus_1", "receipt_email": "zq@quillfeather.example"}}}
    StripeEvent.objects.create(
        vendor=vendor, event_id="evt_1", account_id="acct_1", livemode=False, type="charge.succeeded",
        object_id="ch_1", body=body, state="processed", received_at=now,
    )  # fmt: skip
    sheet = read_sheet(b"name,email\nzephyrine-q,zq@quillfeather.example", ["name"])
    keep(vendor, Import.Kind.CUSTOMERS, sheet, file_name="people.csv", actor=OPERATOR, real_now=now)
    Import.objects.get().rows.update(name="zephyrine-q")
    told = WebhookDelivery.objects.create(
        vendor=vendor, endpoint=failing_delivery(vendor).endpoint, created_at=now,
        event=Event.objects.of(vendor).filter(kind="customer.updated", customer_id=customer.pk)[0],
    )  # fmt: skip
    WebhookAttempt.objects.create(delivery=told, attempted_at=now, duration_ms=1, answer="Thanks for Zephyrine!")


def tables() -> Iterator[str]:
    names = connection.introspection.table_names()
    yield from (name for name in names if name not in KEPT_AS_THEY_ARE and not name.startswith("django_"))


def where(words: tuple[str, ...]) -> list[str]:
    """Each table, and which of the words stand in it."""
    found = []
    with connection.cursor() as cursor:
        for table in tables():
            cursor.execute(f'SELECT lower(string_agg(t::text, %s)) FROM "{table}" t', ["\n"])  # noqa: S608 - our own
            text = cursor.fetchone()[0] or ""
            found += [f"{table}: {word}" for word in words if word.lower() in text]
    return found


BOOKS = {
    "Invoice": ("uuid", "number", "status", "currency", "sub_total", "tax_amount", "amount_due", "amount_paid",
                "period_start", "period_end", "issue_date", "due_date", "issued_at", "paid_at", "voided_at"),
    "LineItem": None, "Payment": ("state", "amount", "is_by_hand", "reference", "occurred_at"), "Refund": None,
    "BillingCycle": None, "Subscription": None, "NumberSeries": None, "InvoiceDocument": None, "UsageDay": None,
    "Measurement": ("meter_id", "customer_id", "time", "value", "stream"),
}  # fmt: skip


def books() -> dict[str, Any]:
    """What an auditor looks at."""
    found = everything()
    return {
        name: [row if columns is None else {column: row[column] for column in columns} for row in found[name]]
        for name, columns in BOOKS.items()
    }


def test_somebody_is_forgotten_and_the_books_stay_whole(world: World, customer: Customer) -> None:
    live_through_two_months(world, customer)
    owner = Client()
    owner.force_login(make_operator(world.vendor, Role.OWNER))
    address = reverse("portal:personal_data", args=[customer.name])

    before = everything()
    said = owner.post(address, {"name": customer.name}).content.decode()
    assert "has a subscription" in said
    assert everything() == before
    settle(world, customer)
    at_stripe_and_elsewhere(world, customer)
    assert {found.split(": ")[1] for found in where(WORDS)} == set(WORDS)  # it can be found at all

    file = owner.post(reverse("portal:export_personal_data", args=[customer.name]))
    handed = json.loads(file.content)
    text = file.content.decode().lower()
    assert [word for word in WORDS if word.lower() not in text] == ["laptop-of-zephyrine"]
    assert [len(handed[part]) for part in ("invoices", "payments", "usage")] == [3, 3, 1]
    assert len(handed["emails"]) >= 6

    kept, whole = books(), everything()
    assert "This is not zephyrine-q" in owner.post(address, {"name": "somebody"}).content.decode()
    for role in (Role.BILLING, Role.SUPPORT, Role.READ_ONLY):
        other = Client()
        other.force_login(make_operator(world.vendor, role))
        assert other.post(address, {"name": customer.name}).status_code == 403
        assert other.post(reverse("portal:export_personal_data", args=[customer.name])).status_code == 403
    assert {**everything(), "Operator": 0, "Membership": 0} == {**whole, "Operator": 0, "Membership": 0}

    page = owner.post(address, {"name": customer.name}, follow=True).content.decode()
    assert "Stripe still holds cus_1 in acct_1" in page
    assert f"erased-{customer.pk}" in page
    assert where(WORDS) == []
    assert books() == kept
    assert [row["id"] for row in everything()["Event"]][:-1] == [row["id"] for row in whole["Event"]]
    told = Event.objects.latest("pk")
    assert (told.kind, told.told_kind, told.details) == ("customer.erased", "customer.updated", {})
    assert set(Measurement.objects.values_list("labels__region", flat=True)) == {"eu"}

    # Again changes nothing; nothing that is due falls over what is gone; the pages and the documents open.
    first = everything()
    out = StringIO()
    call_command("personal_data", "erase", "northwind", f"erased-{customer.pk}", stdout=out)
    assert everything() == first
    world.move_by(days=40)
    assert books()["Invoice"] == kept["Invoice"]
    invoice = Invoice.objects.filter(customer=customer).first()
    assert invoice is not None
    for name in ("invoice", "invoice_pdf"):
        assert owner.get(reverse(f"portal:{name}", args=[invoice.uuid])).status_code == 200
    assert owner.get(reverse("portal:customer", args=[f"erased-{customer.pk}"])).status_code == 200
    with pytest.raises(CommandError, match="has no customer zephyrine-q"):
        call_command("personal_data", "export", "northwind", customer.name)
