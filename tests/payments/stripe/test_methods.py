"""Customers and their payment methods follow Stripe."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import requests
from django.utils import timezone

from customers.actors import STRIPE
from customers.errors import Conflict
from customers.models import BillingSettings, Customer, Event
from payments.models import StripeCustomer, StripeEvent
from payments.sandbox.models import Connection
from payments.stripe import customer_links, methods, processing
from payments.stripe.client import AccountClient
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
    known = Event.objects.count()
    stranger = shop.stripe.customers.create({"name": "Stranger"})
    shop.stripe.payment_methods.attach("pm_card_visa", {"customer": stranger.id})
    shop.stripe.customers.delete(stranger.id)
    shop.deliver()
    assert {state for _, state in stored()} == {"ignored"}
    assert Event.objects.count() == known


def test_disconnected_in_stripe_pauses_the_account(shop: Shop) -> None:
    Connection.objects.filter(account=shop.account).delete()
    post(
        an_event(
            shop.account, "account.application.deauthorized", data={"object": {"id": "ca_1", "object": "application"}}
        )
    )
    shop.connection.refresh_from_db()
    assert (shop.connection.is_active, shop.connection.disconnected_at is None) == (False, False)
    post(an_event(shop.account))
    assert "not connected" in StripeEvent.objects.latest("pk").reason


def save_on(url: str, number: str) -> None:
    given = {"number": number, "expiry": "12 / 34", "cvc": "123"}
    assert requests.post(url, data=given, allow_redirects=False, timeout=10).status_code == 303


def test_what_a_customer_saves_on_the_page_it_was_handed_becomes_the_default(shop: Shop) -> None:
    customer = shop.customer("pm_card_visa")
    first, second = (
        customer_links.card_link(customer, actor=STRIPE, real_now=NOW()),
        customer_links.card_link(customer, actor=STRIPE, real_now=NOW()),
    )
    shop.deliver()
    save_on(first.url, "5555555555554444")
    save_on(second.url, "371449635398431")
    amex, mastercard = ("American Express ending in 8431", True), ("Mastercard ending in 4444", False)
    # Whatever order they come in, and twice: what was saved last stays.
    shop.deliver(shop.events_sent()[::-1])
    StripeEvent.objects.update(state="pending")
    processing_of_all()
    assert methods_of(customer) == [("Visa ending in 4242", False), mastercard, amex]
    methods.choose_default(row_of(customer), method_of(customer, "4242"), actor=STRIPE, real_now=NOW())
    StripeEvent.objects.update(state="pending")
    processing_of_all()
    assert methods_of(customer)[0] == ("Visa ending in 4242", True), "old news changes nothing"


def test_a_setup_intent_of_ours_makes_the_default_and_one_of_others_does_not(shop: Shop, settings: Any) -> None:
    settings.STRIPE_TEST_PUBLISHABLE_KEY = "pk_test_1"
    customer = shop.customer("")
    external_id = row_of(customer).external_id
    theirs = shop.stripe.setup_intents.create({"customer": external_id})
    shop.stripe.setup_intents.confirm(theirs.id, {"payment_method": "pm_card_mastercard"})
    shop.deliver()
    assert methods_of(customer) == [("Mastercard ending in 4444", False)]
    ours = customer_links.setup_secret(customer, actor=STRIPE, real_now=NOW()).client_secret.partition("_secret_")[0]
    shop.stripe.setup_intents.confirm(ours, {"payment_method": "pm_card_visa"})
    shop.deliver()
    assert methods_of(customer) == [("Visa ending in 4242", True), ("Mastercard ending in 4444", False)]


def test_the_newest_becomes_the_default_in_whatever_order_events_come(shop: Shop) -> None:
    customer = shop.customer()
    external = row_of(customer).external_id
    shop.deliver()
    BillingSettings.objects.create(vendor=shop.vendor, auto_update_stripe_default_payment_method=True, updated_at=NOW())
    attach = shop.stripe.payment_methods.attach
    gone = attach("pm_card_discover", {"customer": external})
    attach("pm_card_mastercard", {"customer": external})
    newest = attach("pm_card_amex", {"customer": external})
    shop.stripe.payment_methods.detach(gone.id)
    shop.deliver(shop.events_sent()[::-1])
    assert shop.stripe.customers.retrieve(external).invoice_settings.default_payment_method == newest.id
    assert [default for _, default in methods_of(customer)] == [False, False, True]


def test_sources_count_and_payment_methods_win_over_them(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = shop.customer("pm_card_visa", default=False)
    retrieve = AccountClient.retrieve_customer
    bank = {"id": "ba_1", "object": "bank_account", "bank_name": "STRIPE TEST BANK", "last4": "6789",
            "country": "US", "routing_number": "110000000"}  # fmt: skip

    def with_source(self: AccountClient, external_id: str, **kwargs: Any) -> Any:
        found = retrieve(self, external_id, **kwargs)
        return {**found, "default_source": "ba_1", "sources": {"data": [bank]}}

    monkeypatch.setattr(AccountClient, "retrieve_customer", with_source)
    row = row_of(customer)
    methods.refresh(row, actor=STRIPE, real_now=NOW())
    account = ("Bank account ending in 6789", True)
    assert methods_of(customer) == [("Visa ending in 4242", False), account]
    assert row.payment_methods.get(external_id="ba_1").routing_number == "110000000"
    methods.choose_default(row, method_of(customer, "4242"), actor=STRIPE, real_now=NOW())
    assert methods_of(customer) == [("Visa ending in 4242", True), ("Bank account ending in 6789", False)]


def test_a_bank_account_saved_as_a_source_is_chosen_and_removed(shop: Shop) -> None:
    customer = shop.customer("pm_card_visa")
    row = row_of(customer)
    made = shop.stripe.customers.payment_sources.create(row.external_id, {"source": "btok_us_verified"})
    methods.refresh(row, actor=STRIPE, real_now=NOW())
    bank = "Bank account ending in 6789"
    assert methods_of(customer) == [("Visa ending in 4242", True), (bank, False)]
    methods.choose_default(row, made.id, actor=STRIPE, real_now=NOW())
    assert methods_of(customer) == [("Visa ending in 4242", False), (bank, True)]
    methods.remove(row, made.id, actor=STRIPE, real_now=NOW())
    assert methods_of(customer) == [("Visa ending in 4242", False)]
    assert shop.stripe.customers.payment_sources.list(row.external_id).data == []


def test_a_method_that_is_gone_already_is_removed_and_a_deleted_customer_noticed(shop: Shop) -> None:
    customer = shop.customer("pm_card_visa")
    row = row_of(customer)
    shop.stripe.payment_methods.detach(method_of(customer, "4242"))
    methods.remove(row, method_of(customer, "4242"), actor=STRIPE, real_now=NOW())
    assert methods_of(customer) == []
    mastercard = shop.attach(row, "pm_card_mastercard")
    shop.stripe.customers.delete(row.external_id)
    with pytest.raises(Conflict):
        methods.choose_default(row, mastercard, actor=STRIPE, real_now=NOW())
    assert row_of(customer).state == "deleted"
    with pytest.raises(Conflict, match="was deleted in Stripe. Generate a new one, or link another."):
        customer_links.card_link(customer, actor=STRIPE, real_now=NOW())


def row_of(customer: Customer) -> StripeCustomer:
    return customer.stripe_customers.get()


def method_of(customer: Customer, last4: str) -> str:
    return row_of(customer).payment_methods.get(last4=last4).external_id


def processing_of_all() -> None:
    for pk in StripeEvent.objects.order_by("pk").values_list("pk", flat=True):
        processing.process(pk, real_now=NOW())
