"""The vendor's account goes away while its work is under way, and comes back."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

import pytest
import stripe
from django.core import mail
from django.test import Client
from django.utils import timezone

from billing_portal.accounts.models import Role
from customers.actors import SCHEDULE
from customers.models import Event
from invoicing.gateways import GatewayRejected
from invoicing.invoices.lifecycle import push, void
from invoicing.invoices.states import InvoiceStatus
from invoicing.models import Invoice
from payments.models import StripeConnection, StripeEvent
from payments.sandbox.models import Account, Connection
from payments.stripe import connect, standing
from payments.stripe.client import client_for
from payments.stripe.customers import generate
from payments.tasks import probe_connections, sweep
from tests.portal.scene import make_operator
from tests.scenarios.test_from_usage_to_payment import by_stripe, give_card
from tests.world import OPERATOR, World, utc

S = InvoiceStatus

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def acme(world: World, stripe_sandbox):
    world.vendor.email = "billing@northwind.example"
    world.vendor.save()
    customer = world.customer("acme", email="ap@acme.example")
    counterpart = generate(customer, actor=SCHEDULE, real_now=timezone.now())
    give_card(stripe_sandbox, counterpart.external_id)
    world.subscribe(customer, world.plan(), effective_at=utc(2026, 3, 1))
    by_stripe(world, stripe_immediate_finalization=True)
    stripe_sandbox.settle()  # the news of the card
    return customer


def revoke() -> None:
    """In Stripe's dashboard; the event about it never arrives."""
    Connection.objects.all().delete()


def grant(stripe_sandbox) -> None:
    Connection.objects.create(
        platform=Account.objects.exclude(client_id="").get(), account_id=stripe_sandbox.account, livemode=False
    )


def screen(world: World, address: str) -> str:
    browser = Client()
    browser.force_login(make_operator(world.vendor, Role.OWNER, f"{timezone.now().timestamp()}@example.com"))
    return browser.get(address).content.decode()


def told(world: World) -> list[tuple[str, str]]:
    rows = Event.objects.of(world.vendor).filter(kind__startswith="stripe.").order_by("pk")
    return list(rows.values_list("kind", "actor_label"))


def test_a_refusal_pauses_the_work_and_connecting_again_lets_it_go_on(world: World, acme, stripe_sandbox) -> None:
    revoke()
    world.move_to(utc(2026, 4, 4, 2))
    invoice = world.invoice()
    assert (invoice.status, invoice.invoice_retry_attempt) == (S.GENERATED, 0)
    assert "The account no longer lets us act" in invoice.last_error
    connection = StripeConnection.objects.get()
    assert (connection.is_connected, connection.is_active) == (False, False)
    assert told(world) == [("stripe.connected", "Schedule"), ("stripe.disconnected", "Stripe")]

    page = screen(world, f"/invoices/{invoice.uuid}/")
    assert "The account no longer lets us act" in page
    assert 'href="/settings/invoicing-payments/#stripe"' in page
    assert "1 invoice waits" in screen(world, "/")
    sweep()
    sweep()
    [notice] = mail.outbox
    assert notice.to == ["billing@northwind.example"]
    assert stripe_sandbox.account in notice.body
    assert "1 invoice waits" in notice.body

    grant(stripe_sandbox)
    again = connect.attach(
        world.vendor, stripe_sandbox.account, livemode=False, real_now=timezone.now(), actor=OPERATOR
    )
    assert again.pk == connection.pk
    world.rest()
    invoice = world.invoice()
    assert (invoice.status, invoice.amount_paid) == (S.PAID, 9900)
    assert len(stripe_sandbox.client().v1.invoices.list().data) == 1
    assert invoice.issue_attempts.count() == 1
    assert "Stripe is not connected" not in screen(world, "/")


def test_what_waited_goes_out_through_another_account(world: World, acme, stripe_sandbox) -> None:
    revoke()
    world.move_to(utc(2026, 4, 4, 2))
    platform = Account.objects.exclude(client_id="").get()
    other = Account.objects.create(id="acct_other", name="Other", created=1)
    Connection.objects.create(platform=platform, account=other, livemode=False)
    connect.attach(world.vendor, other.id, livemode=False, real_now=timezone.now(), actor=OPERATOR)
    counterpart = generate(acme, actor=OPERATOR, real_now=timezone.now())
    world.rest()
    invoice = world.invoice()
    assert (invoice.status, invoice.gateway_account) == (S.ISSUED, f"acct_other/test/{world.vendor.pk}")
    [made] = stripe_sandbox.client(stripe_account=other.id).v1.invoices.list().data
    assert made.customer == counterpart.external_id

    # What the lost account holds waits for that account, though another acts.
    Invoice.objects.update(gateway_account=f"{stripe_sandbox.account}/test/{world.vendor.pk}")
    void(world.invoice(), reason="Wrong.", actor=OPERATOR, now=world.now, real_now=timezone.now())
    world.rest()
    waits = world.invoice()
    assert (waits.next_action, waits.next_action_at) == ("void_at_gateway", None)
    assert f"{stripe_sandbox.account} is not connected" in waits.last_error


def test_what_never_had_an_account_follows_the_settings_of_the_day(world: World, acme) -> None:
    standing.ended(StripeConnection.objects.get(), real_now=timezone.now())
    world.move_to(utc(2026, 4, 4, 2))
    invoice = world.invoice()
    assert (invoice.status, invoice.next_action_at) == (S.GENERATED, None)
    assert "is not connected" in invoice.last_error
    world.settings(should_send_invoice_to_customers=True, invoice_via_octane=True, charges_enabled=False)
    push(invoice, actor=OPERATOR, now=world.now, real_now=timezone.now())
    world.rest()
    assert (world.invoice().status, world.invoice().gateway) == (S.ISSUED, "")
    assert [message.to for message in mail.outbox] == [["ap@acme.example"]]


def test_the_event_is_believed_once_the_account_confirms_it(world: World, acme, stripe_sandbox) -> None:
    client = stripe_sandbox.client()
    kept = Connection.objects.get()
    client.oauth.deauthorize({"stripe_user_id": stripe_sandbox.account})
    kept.pk = None
    kept.save()  # linked twice: we may still act
    stripe_sandbox.settle()
    assert StripeEvent.objects.latest("pk").reason == "The account still lets us act."
    assert StripeConnection.objects.get().is_connected

    client.oauth.deauthorize({"stripe_user_id": stripe_sandbox.account})
    stripe_sandbox.settle()
    assert StripeEvent.objects.latest("pk").state == "processed"
    assert not StripeConnection.objects.get().is_connected
    assert told(world)[-1] == ("stripe.disconnected", "Stripe")


def test_a_daily_question_finds_what_no_event_told(world: World, acme, stripe_sandbox) -> None:
    revoke()
    probe_connections()
    assert StripeConnection.objects.get().is_connected  # asked when it was connected, a moment ago
    StripeConnection.objects.update(probed_at=timezone.now() - timedelta(hours=25))
    since = len(stripe_sandbox.traffic.exchanges)
    probe_connections()
    assert not StripeConnection.objects.get().is_connected
    assert len(stripe_sandbox.traffic.exchanges) - since == 2  # the question, and its confirmation
    probe_connections()
    assert len(stripe_sandbox.traffic.exchanges) - since == 2


def test_a_single_refusal_is_not_the_end(world: World, acme) -> None:
    """A restricted key may be refused one thing and allowed another."""
    client = client_for(StripeConnection.objects.get())
    refusal = stripe.PermissionError("The key lacks a permission.", http_status=403)
    with (
        mock.patch("stripe.CustomerService.create", side_effect=refusal),
        pytest.raises(GatewayRejected, match="too little for this"),
    ):
        client.create_customer({"name": "x"}, key="k")
    assert StripeConnection.objects.get().is_connected
