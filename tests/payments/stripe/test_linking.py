"""Letting go of a Stripe customer."""

from __future__ import annotations

import pytest
from django.utils import timezone

from customers.errors import Busy, Conflict, Missing
from customers.models import Customer
from invoicing.invoices.models import AttemptState, Channel, IssueAttempt
from payments.models import StripeCustomer
from payments.stripe import customers, linking
from tests.factories import CustomerFactory, InvoiceFactory
from tests.payments.stripe.conftest import OPERATOR, Shop


def unlink(customer: Customer) -> None:
    linking.unlink(customer, actor=OPERATOR, real_now=timezone.now())


def test_it_is_forgotten_here_and_stays_in_stripe(shop: Shop) -> None:
    customer = shop.customer()
    external_id = customer.stripe_customers.get().external_id
    unlink(customer)
    assert not StripeCustomer.objects.exists()
    assert shop.kinds()[-1] == "customer.payment_gateway_unlinked"
    assert len(shop.stripe.customers.payment_methods.list(external_id).data) == 1
    other: Customer = CustomerFactory.create(vendor=shop.vendor)
    linking.link(other, external_id, actor=OPERATOR, real_now=timezone.now())
    with pytest.raises(Missing):
        unlink(customer)


def test_not_while_invoices_are_in_flight_through_stripe(shop: Shop) -> None:
    customer = shop.customer(card="")
    invoice = InvoiceFactory(
        customer=customer, number="INV-7", status="INVOICE_ISSUED", gateway="stripe", external_invoice_id="in_1"
    )
    with pytest.raises(Conflict, match="in flight through Stripe: INV-7. Wait until") as refusal:
        unlink(customer)
    assert refusal.value.code == "invoices_in_flight"
    invoice.status, invoice.next_action = "INVOICE_VOIDED", "void_at_gateway"
    invoice.save()
    with pytest.raises(Conflict, match="INV-7"):
        unlink(customer)
    invoice.next_action = ""
    invoice.save()
    attempt = IssueAttempt.objects.create(
        invoice=InvoiceFactory(customer=customer, number=""), number=1, channel=Channel.GATEWAY,
        state=AttemptState.SENDING, idempotency_key="k", started_at=timezone.now(), real_started_at=timezone.now(),
    )  # fmt: skip
    with pytest.raises(Conflict, match="one without a number"):
        unlink(customer)
    attempt.state = AttemptState.FAILED
    attempt.save()
    InvoiceFactory(customer=customer, number="INV-8", status="INVOICE_ISSUED", gateway="")
    unlink(customer)
    assert not StripeCustomer.objects.exists()


def test_not_while_it_is_being_made_but_after_it_was_deleted(shop: Shop) -> None:
    customer: Customer = CustomerFactory.create(vendor=shop.vendor)
    shop.fail("/v1/customers$")
    customers.generate(customer, actor=OPERATOR, real_now=timezone.now())
    with pytest.raises(Busy):
        unlink(customer)
    StripeCustomer.objects.update(state="deleted")
    unlink(customer)
    assert not StripeCustomer.objects.exists()
