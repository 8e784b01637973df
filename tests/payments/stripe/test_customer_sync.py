"""Edits of a customer reach Stripe once, in order, and never out of a transaction."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from customers.directory import update_customer
from customers.models import BillingSettings, Customer, Event
from payments.models import StripeCustomer
from payments.stripe import client, customer_sync, linking
from payments.stripe.customer_fields import not_sent
from payments.tasks import sweep
from tests.factories import CustomerFactory
from tests.payments.stripe.conftest import OPERATOR, Shop

pytestmark = pytest.mark.urls("payments.stripe.urls")

NOW = timezone.now


@pytest.fixture
def synced(shop: Shop) -> Shop:
    BillingSettings.objects.create(vendor=shop.vendor, sync_customer_data_to_payment_gateway=True, updated_at=NOW())
    return shop


def edit(customer: Customer, **changes: Any) -> None:
    update_customer(customer, changes, actor=OPERATOR, now=NOW(), real_now=NOW())


def row_of(customer: Customer) -> StripeCustomer:
    return customer.stripe_customers.get()


def updates(shop: Shop, since: int) -> int:
    return sum(method == "POST" and path.startswith("/v1/customers/cus_") for method, path in shop.calls(since))


def test_an_edit_reaches_stripe_once_and_its_echo_changes_nothing(
    synced: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = synced.customer(phone="+49 228 1", address_line_1="1 Main St", city="Bonn", country="Germany")
    inside: list[bool] = []
    send = client.AccountClient.update_customer

    def watched(self: client.AccountClient, *args: Any, **kwargs: Any) -> Any:
        inside.append(connection.in_atomic_block)
        return send(self, *args, **kwargs)

    monkeypatch.setattr(client.AccountClient, "update_customer", watched)
    synced.deliver()
    before, facts = synced.mark(), Event.objects.count()
    edit(customer, display_name="Acme AG", phone="", city="Cologne", address_line_1="")
    made = synced.stripe.customers.retrieve(row_of(customer).external_id)
    assert (made.name, made.phone, made.email) == ("Acme AG", None, customer.email)
    assert (made.address.line1, made.address.city, made.address.country) == (None, "Cologne", "DE")
    assert inside == [False]
    standing = customer_sync.standing(row_of(customer))
    assert (standing.waits, standing.problem) == (False, "")
    assert standing.in_step_since is not None
    synced.deliver()
    assert updates(synced, before) == 1
    assert Event.objects.count() == facts + 1, "the edit itself"
    edit(customer, tags=["large"], legal_name="Acme Aktiengesellschaft")
    assert updates(synced, before) == 1, "Stripe is told nothing of these"
    edit(customer, city="", country="")
    assert synced.stripe.customers.retrieve(made.id).address is None


def test_while_stripe_is_out_of_reach_only_the_newest_state_waits(
    synced: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = synced.customer()
    synced.fail("/v1/customers/cus_", "timeout_after", times=3, method="POST")
    edit(customer, display_name="First")
    standing = customer_sync.standing(row_of(customer))
    assert (standing.waits, standing.in_step_since) == (True, None)
    assert "did not answer" in standing.problem
    synced.mend()
    frozen = row_of(customer).request
    assert frozen["name"] == "First"
    later = NOW() + timedelta(minutes=2)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    before = synced.mark()
    sweep()
    assert (updates(synced, before), row_of(customer).request) == (1, frozen), "the same words under the same key"
    assert not customer_sync.standing(row_of(customer)).waits
    synced.fail("/v1/customers/cus_", "timeout_before", times=3, method="POST")
    edit(customer, display_name="Second")
    synced.mend()
    before = synced.mark()
    edit(customer, display_name="Third")
    assert updates(synced, before) == 1, "the state in between is never sent"
    assert synced.stripe.customers.retrieve(row_of(customer).external_id).name == "Third"


def test_an_edit_made_during_the_call_is_sent_after_it(synced: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = synced.customer()
    send = client.AccountClient.update_customer
    sent: list[str] = []

    def slow(self: client.AccountClient, external_id: str, params: Any, *, key: str) -> Any:
        sent.append(params["name"])
        if len(sent) == 1:
            edit(customer, display_name="Newer")
        return send(self, external_id, params, key=key)

    monkeypatch.setattr(client.AccountClient, "update_customer", slow)
    edit(customer, display_name="Older")
    assert sent == ["Older", "Newer"]
    assert synced.stripe.customers.retrieve(row_of(customer).external_id).name == "Newer"
    assert not customer_sync.standing(row_of(customer)).waits


def test_who_comes_back_after_losing_the_claim_lets_the_newest_state_go_once_more(
    synced: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = synced.customer()
    send = client.AccountClient.update_customer
    sent: list[str] = []

    def stalled(self: client.AccountClient, external_id: str, params: Any, *, key: str) -> Any:
        sent.append(params["name"])
        if len(sent) == 1:  # the lease ran out, and another worker has sent a newer state meanwhile
            edit(customer, display_name="Newer")
            StripeCustomer.objects.update(claimed_until=NOW() - timedelta(seconds=1))
            customer_sync.send_waiting(real_now=NOW())
        return send(self, external_id, params, key=key)

    monkeypatch.setattr(client.AccountClient, "update_customer", stalled)
    edit(customer, display_name="Older")
    assert sent == ["Older", "Newer", "Newer"]
    assert synced.stripe.customers.retrieve(row_of(customer).external_id).name == "Newer"


def test_what_stripe_refuses_waits_for_the_next_edit(synced: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = synced.customer()
    with monkeypatch.context() as patch:
        patch.setattr("payments.stripe.customer_sync.update_for", lambda customer: {"name": "x" * 300})
        edit(customer, display_name="Long")
    standing = customer_sync.standing(row_of(customer))
    assert (standing.waits, standing.in_step_since) == (False, None)
    assert "at most 256 characters" in standing.problem
    assert synced.kinds()[-1] == "customer.payment_gateway_sync_refused"
    before = synced.mark()
    sweep()
    assert updates(synced, before) == 0
    edit(customer, display_name="Short")
    assert customer_sync.standing(row_of(customer)).problem == ""


def test_edits_made_before_the_counterpart_exists_follow_it(synced: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from payments.stripe import customers

    customer: Customer = CustomerFactory.create(vendor=synced.vendor, display_name="Old")
    synced.fail("/v1/customers$", "timeout_after")
    customers.generate(customer, actor=OPERATOR, real_now=NOW())
    edit(customer, display_name="New")
    synced.mend()
    later = NOW() + timedelta(minutes=2)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    sweep()
    sweep()
    assert [c.name for c in synced.stripe.customers.list().data] == ["New"]


def test_turning_it_on_sends_nothing_and_somebody_may_send_it_all(shop: Shop) -> None:
    customer = shop.customer()
    edit(customer, display_name="Changed while it was off")
    theirs = shop.stripe.customers.create({"name": "Theirs", "email": "theirs@example.com"})
    other: Customer = CustomerFactory.create(vendor=shop.vendor)
    linking.link(other, theirs.id, actor=OPERATOR, real_now=NOW())
    before = shop.mark()
    BillingSettings.objects.create(vendor=shop.vendor, sync_customer_data_to_payment_gateway=True, updated_at=NOW())
    sweep()
    assert updates(shop, before) == 0
    assert shop.stripe.customers.retrieve(theirs.id).email == "theirs@example.com"
    customer_sync.send_now(customer)
    assert shop.stripe.customers.retrieve(row_of(customer).external_id).name == "Changed while it was off"


def test_deleted_in_stripe_is_noticed_by_the_next_edit(synced: Shop) -> None:
    customer = synced.customer()
    synced.stripe.customers.delete(row_of(customer).external_id)
    edit(customer, display_name="Anew")
    row = row_of(customer)
    assert (row.state, customer_sync.standing(row).waits) == ("deleted", False)
    assert "Generate a new one, or link another" in row.last_error
    assert "customer.payment_gateway_deleted" in synced.kinds()


def test_what_cannot_be_sent_is_said() -> None:
    customer = CustomerFactory.build(phone="1" * 21, country="Atlantis")
    assert [words.partition(",")[0] for words in not_sent(customer)] == ["the phone number", "the country"]
    assert not_sent(CustomerFactory.build(phone="1", country="de")) == []


def test_tax_status_and_vat_id_go_with_the_customer(synced: Shop) -> None:
    """With its making in one call; later only where it changed, and nobody else's tax id is touched."""
    before = synced.mark()
    customer = synced.customer("", country="DE", vat_id="DE 123 456 789", tax_exempt="reverse")
    assert len(synced.calls(before)) == 1
    external = row_of(customer).external_id

    def at_stripe() -> tuple[str, list[tuple[str, str]]]:
        numbers = synced.stripe.customers.tax_ids.list(external).data
        status = synced.stripe.customers.retrieve(external).tax_exempt
        return status, sorted((number.type, number.value) for number in numbers)

    assert at_stripe() == ("reverse", [("eu_vat", "DE123456789")])
    synced.stripe.customers.tax_ids.create(external, {"type": "au_abn", "value": "12345678912"})
    before = synced.mark()
    edit(customer, display_name="Acme AG")
    assert [path for _, path in synced.calls(before) if "tax_ids" in path] == []
    edit(customer, vat_id="DE987654321", tax_exempt="exempt")
    assert at_stripe() == ("exempt", [("au_abn", "12345678912"), ("eu_vat", "DE987654321")])
    synced.fail("/tax_ids", "timeout_after", times=3, method="DELETE")
    edit(customer, vat_id="", tax_exempt="none")
    synced.mend()
    assert at_stripe() == ("none", [("au_abn", "12345678912")])
    assert not customer_sync.standing(row_of(customer)).waits


def test_a_vat_id_of_a_kind_that_stripe_does_not_know_is_not_sent_and_said_so() -> None:
    assert not_sent(Customer(vat_id="4711-0815", country="Nauru")) == [
        "the VAT id, because it does not say its country and Stripe has to know the kind"
    ]
    assert not_sent(Customer(vat_id="12-3456789", country="US")) == []
