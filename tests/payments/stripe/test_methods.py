"""Customers and their payment methods follow Stripe."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from customers.actors import STRIPE
from customers.models import BillingSettings, Customer, Event
from payments.models import StripeEvent
from payments.stripe import methods
from tests.payments.stripe.conftest import Shop, an_event, post, stored

pytestmark = pytest.mark.urls("payments.stripe.urls")

NOW = timezone.now


def methods_of(customer: Customer) -> list[tuple[str, bool]]:
    rows = customer.stripe_customers.get().payment_methods.order_by("last4")
    return [(str(row), row.is_default) for row in rows]


def test_payment_methods_follow_stripe(shop: Shop) -> None:
    customer = shop.customer(card="")
    external = customer.stripe_customers.get().external_id
    first = shop.stripe.payment_methods.attach("pm_card_visa", {"customer": external})
    shop.deliver()
    assert methods_of(customer) == [("Visa ending in 4242", False)]
    shop.stripe.customers.update(external, {"invoice_settings": {"default_payment_method": first.id}})
    shop.deliver()
    assert methods_of(customer) == [("Visa ending in 4242", True)]
    shop.stripe.payment_methods.attach("pm_card_mastercard", {"customer": external})
    shop.deliver()
    assert methods_of(customer) == [("Visa ending in 4242", True), ("Mastercard ending in 4444", False)]
    shop.stripe.payment_methods.detach(first.id)
    shop.deliver()
    assert methods_of(customer) == [("Mastercard ending in 4444", False)]
    told = Event.objects.of(shop.vendor).filter(kind="customer.payment_method.updated")
    assert told.count() == 4
    assert told[0].payload == {
        "vendor_name": shop.vendor.name,
        "customer_name": customer.name,
        "payment_provider": "STRIPE",
    }
    assert told[0].actor_label == "Stripe"


def test_an_older_answer_never_replaces_a_newer_one(shop: Shop) -> None:
    customer = shop.customer()
    row = customer.stripe_customers.get()
    shop.stripe.payment_methods.detach(row.payment_methods.get().external_id)
    long_ago = NOW() - timedelta(hours=1)
    assert methods.refresh(row, actor=STRIPE, real_now=long_ago) is False
    assert methods_of(customer) == [("Visa ending in 4242", True)]
    assert methods.refresh(row, actor=STRIPE, real_now=NOW()) is True
    assert methods_of(customer) == []


def test_the_newest_method_becomes_the_default_where_settings_say_so(shop: Shop) -> None:
    customer = shop.customer()
    external = customer.stripe_customers.get().external_id
    BillingSettings.objects.create(vendor=shop.vendor, auto_update_stripe_default_payment_method=True, updated_at=NOW())
    shop.deliver()
    newest = shop.stripe.payment_methods.attach("pm_card_mastercard", {"customer": external})
    shop.deliver()
    assert shop.stripe.customers.retrieve(external).invoice_settings.default_payment_method == newest.id
    assert methods_of(customer) == [("Visa ending in 4242", False), ("Mastercard ending in 4444", True)]


def test_a_customer_deleted_in_stripe_is_unlinked(shop: Shop) -> None:
    customer = shop.customer()
    row = customer.stripe_customers.get()
    shop.stripe.customers.delete(row.external_id)
    shop.deliver()
    row.refresh_from_db()
    assert row.state == "deleted"
    assert "deleted in Stripe" in row.last_error
    assert methods_of(customer) == []


def test_customers_of_others_are_ignored(shop: Shop) -> None:
    stranger = shop.stripe.customers.create({"name": "Stranger"})
    shop.stripe.payment_methods.attach("pm_card_visa", {"customer": stranger.id})
    shop.stripe.customers.delete(stranger.id)
    shop.deliver()
    assert {state for _, state in stored()} == {"ignored"}
    assert Event.objects.count() == 0


def test_disconnected_in_stripe_pauses_the_account(shop: Shop) -> None:
    post(
        an_event(
            shop.account, "account.application.deauthorized", data={"object": {"id": "ca_1", "object": "application"}}
        )
    )
    shop.connection.refresh_from_db()
    assert (shop.connection.is_active, shop.connection.disconnected_at is None) == (False, False)
    post(an_event(shop.account))
    assert "not connected" in StripeEvent.objects.latest("pk").reason
