"""Every way in which an invoice can leave, for every kind of customer: one table."""

from __future__ import annotations

import pytest
from django.core import mail
from django.utils import timezone

from customers.actors import SCHEDULE
from invoicing.invoices.states import InvoiceStatus
from invoicing.models import Invoice
from payments.sandbox.models import StoredObject
from payments.stripe.customers import generate
from payments.stripe.issuing import NO_EMAIL
from tests.factories import InvoiceFactory, LineItemFactory
from tests.scenarios.test_from_usage_to_payment import give_card
from tests.world import World

S = InvoiceStatus

pytestmark = pytest.mark.django_db(transaction=True)

OFF = {"should_send_invoice_to_customers": False, "charges_enabled": True}
EMAIL = {"should_send_invoice_to_customers": True, "invoice_via_octane": True, "charges_enabled": False}
STRIPE = {"should_send_invoice_to_customers": True, "invoice_via_octane": False, "charges_enabled": False}
CHARGE = {"charges_enabled": True}
DRAFT = {"stripe_auto_advance": False}
AT_ONCE = {"stripe_immediate_finalization": True}

# With a usable method, with none, with an expired one only, without an e-mail address in Stripe.
TABLE = [
    (OFF, ["kept here"] * 4),
    (EMAIL, ["e-mailed"] * 4),
    (EMAIL | CHARGE, ["charged, e-mailed", "e-mailed", "e-mailed", "charged, e-mailed"]),
    (STRIPE, ["Stripe sends it later"] * 3 + ["failed"]),
    (STRIPE | CHARGE, ["Stripe charges it later", "Stripe sends it later", "Stripe sends it later", "failed"]),
    (STRIPE | DRAFT, ["draft, send_invoice"] * 3 + ["failed"]),
    (STRIPE | CHARGE | DRAFT, ["draft, charge_automatically"] * 3 + ["failed"]),
    (STRIPE | CHARGE | DRAFT | AT_ONCE, ["draft, charge_automatically"] * 3 + ["failed"]),
    (STRIPE | AT_ONCE, ["sent by Stripe"] * 3 + ["failed"]),
    (STRIPE | CHARGE | AT_ONCE, ["charged by Stripe", "sent by Stripe", "sent by Stripe", "failed"]),
]
PLAIN = {"stripe_auto_advance": True, "stripe_immediate_finalization": False, "retry_attempts": 0}


@pytest.fixture
def customers(world: World, stripe_sandbox):
    stripe = stripe_sandbox.client().v1
    made = [world.customer(name) for name in ("usable", "none", "expired", "silent")]
    for customer in made:
        counterpart = generate(customer, actor=SCHEDULE, real_now=timezone.now()).external_id
        if customer.name != "none":
            give_card(stripe_sandbox, counterpart)
        if customer.name == "expired":
            let_expire(counterpart)
        if customer.name == "silent":
            stripe.customers.update(counterpart, {"email": ""})
    world.rest()
    return made


def let_expire(counterpart: str) -> None:
    """Years pass for one card."""
    row = StoredObject.objects.get(object="payment_method", customer=counterpart)
    row.data = {**row.data, "card": {**row.data["card"], "exp_year": 2020}}
    row.save()


def due(customer) -> Invoice:
    now = customer.vendor.now(timezone.now())
    invoice = InvoiceFactory(customer=customer, number="", generated_at=now, paid_at=None, issued_at=None)
    LineItemFactory(invoice=invoice, position=0, amount=1000)
    return invoice


def outcome(invoice: Invoice, stripe) -> str:
    """What is to be seen of it, here and at Stripe, in words."""
    emails = [message for message in mail.outbox if invoice.number and invoice.number in message.subject]
    intents = stripe.payment_intents.list({"limit": 100}).data
    charges = [one for one in intents if one.metadata.to_dict().get("portal_invoice") == str(invoice.uuid)]
    if invoice.external_invoice_id:
        assert (emails, charges) == ([], [])
        return at_stripe(invoice, stripe.invoices.retrieve(invoice.external_invoice_id))
    made = [one for one in stripe.invoices.list({"limit": 100}).data if one.metadata["portal_invoice"] == invoice.uuid]
    assert made == []
    if invoice.state == S.INVOICING_FAILED:
        assert (invoice.invoicing_error, emails, charges) == (NO_EMAIL, [], [])
        return "failed"
    if invoice.state == S.GENERATED:
        assert (invoice.number, emails, charges) == ("", [], [])
        return "kept here"
    assert len(emails) == 1
    if invoice.state == S.PAID:
        assert [one.status for one in charges] == ["succeeded"]
        return "charged, e-mailed"
    assert (invoice.state, charges) == (S.ISSUED, [])
    return "e-mailed"


def at_stripe(invoice: Invoice, made) -> str:
    assert made.total == invoice.amount_due
    words = (invoice.state, made.status, made.collection_method, made.auto_advance)
    return {
        (S.ISSUED, "draft", "send_invoice", True): "Stripe sends it later",
        (S.ISSUED, "draft", "charge_automatically", True): "Stripe charges it later",
        (S.ISSUED, "draft", "send_invoice", False): "draft, send_invoice",
        (S.ISSUED, "draft", "charge_automatically", False): "draft, charge_automatically",
        (S.ISSUED, "open", "send_invoice", True): "sent by Stripe",
        (S.PAID, "paid", "charge_automatically", False): "charged by Stripe",
    }.get(words, str(words))


def test_every_way_out(world, customers, stripe_sandbox):
    stripe = stripe_sandbox.client().v1
    for settings, expected in TABLE:
        mail.outbox.clear()
        world.settings(**(PLAIN | settings))
        invoices = [due(customer) for customer in customers]
        world.rest()
        world.rest()
        found = [outcome(Invoice.objects.get(pk=invoice.pk), stripe) for invoice in invoices]
        assert found == expected, settings


def test_tax_that_stripe_computes_becomes_ours(world, stripe_sandbox):
    world.settings(**(STRIPE | CHARGE), tax_via_payment_provider=True, tax_rate=5)
    customer = world.customer("acme")
    counterpart = generate(customer, actor=SCHEDULE, real_now=timezone.now()).external_id
    give_card(stripe_sandbox, counterpart)
    stripe = stripe_sandbox.client().v1
    stripe.customers.update(counterpart, {"address": {"country": "DE"}})
    invoice = due(customer)
    world.rest()
    invoice.refresh_from_db()
    assert (invoice.status, invoice.tax_rate, invoice.tax_amount, invoice.amount_due) == (S.ISSUED, 0, 190, 1190)
    first = bytes(invoice.document.pdf)
    stripe.customers.update(counterpart, {"address": {"country": "FR"}})
    world.move_by(hours=2)
    invoice = Invoice.objects.get(pk=invoice.pk)
    assert (invoice.status, invoice.tax_amount, invoice.amount_due, invoice.amount_paid) == (S.PAID, 200, 1200, 1200)
    assert bytes(invoice.document.pdf) != first


def test_a_change_of_mind_about_tax_before_it_is_issued(world, stripe_sandbox):
    """Generated without tax because Stripe would compute it; then the settings say that we e-mail it."""
    world.settings(**EMAIL, tax_rate=5)
    invoice = due(world.customer("acme"))
    snapshot = {"tax_via_payment_provider": {"value": True, "source": "vendor"}}
    Invoice.objects.filter(pk=invoice.pk).update(policy_snapshot=snapshot)
    world.rest()
    invoice.refresh_from_db()
    assert (invoice.status, invoice.tax_rate, invoice.tax_amount, invoice.amount_due) == (S.ISSUED, 5, 50, 1050)
