"""Webhooks out: signed, once each where they succeed, again where they fail."""

import json
from datetime import timedelta
from threading import Thread

import pytest
import stripe
from django.db import connection
from django.utils import timezone

from payments.sandbox import deliveries
from payments.sandbox.models import Delivery
from tests.contract.stripe_contract import check_object
from tests.sandbox_server import SANDBOX_ONLY

pytestmark = SANDBOX_ONLY

LATER = timedelta(hours=4)


@pytest.fixture
def hooked(stripe_sandbox, inbox):
    stripe_sandbox.send_webhooks_to(inbox.url)
    return stripe_sandbox


def test_a_webhook_is_signed_and_names_its_account(hooked, inbox, client):
    customer = client.v1.customers.create({"name": "Ada"})
    client.v1.customers.update(customer.id, {"name": "Bob"})
    assert hooked.settle() is False
    [received] = inbox.received
    event = stripe.Webhook.construct_event(received.body, received.signature, hooked.webhook_secret)
    assert (event.type, event.account, event.livemode) == ("customer.updated", hooked.account, False)
    assert event.api_version == stripe.api_version
    assert event.data.object.name == "Bob"
    assert check_object(json.loads(received.body)).strings() == []


def test_only_what_the_endpoint_asked_for_arrives(hooked, inbox, client):
    client.v1.customers.create({})
    hooked.settle()
    assert inbox.received == []
    event = client.v1.events.list().data[0]
    assert (event.type, event.pending_webhooks) == ("customer.created", 0)


def test_webhooks_arrive_in_the_order_of_what_happened(hooked, inbox, client, customer, draft):
    invoice = client.v1.invoices.finalize_invoice(draft(customer("pm_card_visa")).id)
    client.v1.invoices.pay(invoice.id)
    hooked.settle()
    arrived = [json.loads(r.body)["id"] for r in inbox.received]
    happened = [event.id for event in client.v1.events.list({"limit": 100}).data][::-1]
    assert arrived == [id_ for id_ in happened if id_ in arrived]
    assert len(arrived) == len(set(arrived))
    assert "invoice.paid" in [json.loads(r.body)["type"] for r in inbox.received]


def test_a_delivered_webhook_is_not_sent_again(hooked, inbox, client, customer):
    client.v1.customers.update(customer().id, {"name": "Bob"})
    hooked.settle()
    hooked.run_due(timezone.now() + LATER)
    assert len(inbox.received) == 1
    assert client.v1.events.list({"delivery_success": True, "type": "customer.updated"}).data


def test_a_refused_webhook_is_tried_again_and_at_last_given_up(hooked, inbox, client, customer):
    inbox.status = 500
    client.v1.customers.update(customer().id, {"name": "Bob"})
    assert hooked.settle() is False
    assert len(inbox.received) == 1
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.last_status) == ("pending", 1, 500)
    event = client.v1.events.list({"delivery_success": False}).data[0]
    assert event.pending_webhooks == 1
    hooked.settle()
    assert len(inbox.received) == 1
    moment = timezone.now()
    for _ in range(10):
        moment += LATER
        hooked.run_due(moment)
    assert len(inbox.received) == 1 + len(deliveries.TEST_RETRIES)
    assert Delivery.objects.get().state == Delivery.State.FAILED
    assert len({r.signature for r in inbox.received}) >= 1


def test_a_retry_that_succeeds_ends_it(hooked, inbox, client, customer):
    inbox.status = 503
    client.v1.customers.update(customer().id, {"name": "Bob"})
    hooked.settle()
    inbox.status = 204
    hooked.run_due(timezone.now() + LATER)
    hooked.run_due(timezone.now() + 2 * LATER)
    assert len(inbox.received) == 2
    assert Delivery.objects.get().state == Delivery.State.DELIVERED


def test_attempts_are_spaced_as_stripe_spaces_them(hooked, inbox, client, customer):
    """Three within hours in test mode; ever more slowly, for three days, in live mode."""
    inbox.status = 500
    client.v1.customers.update(customer().id, {"name": "Bob"})
    moment = timezone.now()
    hooked.run_due(moment)
    for attempts, pause in enumerate(deliveries.TEST_RETRIES, start=1):
        hooked.run_due(moment + pause - timedelta(seconds=1))
        assert len(inbox.received) == attempts
        moment += pause
        hooked.run_due(moment)
        assert len(inbox.received) == attempts + 1
    assert sum(deliveries.LIVE_RETRIES, timedelta()) <= timedelta(days=3)
    assert list(deliveries.LIVE_RETRIES) == sorted(deliveries.LIVE_RETRIES)


def test_nobody_at_home_counts_as_an_attempt(stripe_sandbox, client, customer):
    client.v1.customers.update(customer().id, {"name": "Bob"})
    assert stripe_sandbox.settle() is False
    delivery = Delivery.objects.get()
    assert (delivery.attempts, delivery.last_status) == (1, None)
    assert delivery.last_error


def test_a_delivery_under_way_elsewhere_is_waited_for_and_not_doubled(hooked, inbox, client, customer):
    client.v1.customers.update(customer().id, {"name": "Bob"})
    inbox.open.clear()

    def pump() -> None:
        hooked.run_due()
        connection.close()

    pumping = Thread(target=pump)
    pumping.start()
    assert inbox.arrived.wait(10)
    assert hooked.settle() is True
    inbox.open.set()
    pumping.join()
    assert hooked.settle() is False
    assert len(inbox.received) == 1


def test_a_claim_that_died_is_taken_up_after_its_lease(hooked, inbox, client, customer):
    client.v1.customers.update(customer().id, {"name": "Bob"})
    moment = timezone.now()
    Delivery.objects.update(leased_until=moment + deliveries.LEASE)
    assert hooked.settle(moment) is True
    assert inbox.received == []
    assert hooked.settle(moment + deliveries.LEASE) is False
    assert len(inbox.received) == 1


def test_an_endpoint_moves_and_old_webhooks_follow_it(hooked, inbox, client, customer):
    hooked.send_webhooks_to("http://127.0.0.1:9/gone")
    client.v1.customers.update(customer().id, {"name": "Bob"})
    hooked.settle()
    hooked.send_webhooks_to(inbox.url)
    hooked.run_due(timezone.now() + LATER)
    assert len(inbox.received) == 1


def test_a_disabled_endpoint_gets_nothing(stripe_sandbox, inbox, client, customer):
    platform = stripe_sandbox.client(stripe_account=None)
    made = platform.v1.webhook_endpoints.create({"url": inbox.url, "enabled_events": ["*"], "connect": True})
    assert made.secret.startswith("whsec_")
    customer()
    platform.v1.webhook_endpoints.update(made.id, {"disabled": True})
    assert stripe_sandbox.settle() is False
    assert inbox.received == []


def test_an_accounts_own_endpoint_hears_only_its_account(stripe_sandbox, inbox, client, customer):
    client.v1.webhook_endpoints.create({"url": inbox.url, "enabled_events": ["*"]})
    platform = stripe_sandbox.client(stripe_account=None)
    platform.v1.customers.create({"name": "of the platform"})
    mine = customer()
    while stripe_sandbox.settle():
        pass
    assert [json.loads(r.body)["data"]["object"]["id"] for r in inbox.received] == [mine.id]
