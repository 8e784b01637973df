"""What went wrong for others who built on Stripe and has no other test here (docs/stripe-pitfalls.md)."""

from __future__ import annotations

import inspect
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
import stripe
from django.conf import settings as django_settings
from django.db import connections
from django.test import Client
from django.utils import timezone

from customers.models import BillingSettings, Customer
from invoicing.gateways import Advance, Collection, GatewayRejected, GatewayStatus
from invoicing.invoices.collection import settle
from invoicing.invoices.issue import issue
from invoicing.models import Invoice, IssueAttempt
from payments.models import StripeCustomer, StripeEvent
from payments.sandbox.models import IdempotentAnswer
from payments.stripe import client, customers, limits, reading, signature
from payments.stripe.client import KEYS_LAST, RETRIES, TIMEOUT, AccountClient, client_for
from payments.stripe.gateway import StripeGateway
from tests.factories import CustomerFactory, InvoiceFactory, LineItemFactory
from tests.payments.stripe.conftest import OPERATOR, SECRET, WEBHOOK, Shop, an_event, issued, order_for, post, stored

pytestmark = pytest.mark.urls("payments.stripe.urls")

NOW = timezone.now


def through_stripe(shop: Shop, **settings: Any) -> None:
    known = {"should_send_invoice_to_customers": True, "invoice_via_octane": False, "charges_enabled": True}
    BillingSettings.objects.update_or_create(vendor=shop.vendor, defaults={**known, "updated_at": NOW(), **settings})


def generated(customer: Customer, amount: int = 1_000, **fields: Any) -> Invoice:
    """Ours, complete and due to be issued."""
    known = {"number": "INV-00007", "generated_at": NOW(), "paid_at": None, "issued_at": None, "memo": "As agreed"}
    made: Invoice = InvoiceFactory(customer=customer, sub_total=amount, **known | fields)
    LineItemFactory(invoice=made, position=0, amount=amount)
    return made


# Keys


def test_a_lost_answer_is_repeated_word_for_word_whatever_was_changed_meanwhile(shop: Shop) -> None:
    through_stripe(shop, days_until_due=14, charges_enabled=False)
    invoice = generated(shop.customer())
    shop.fail("/v1/invoices$", "timeout_after")
    issue(invoice, real_now=NOW())
    shop.mend()
    through_stripe(shop, days_until_due=30, charges_enabled=True, stripe_immediate_finalization=True)
    Invoice.objects.filter(pk=invoice.pk).update(memo="Another memo", amount_due=9_999)
    issue(invoice, real_now=NOW() + timedelta(seconds=1))
    invoice.refresh_from_db()
    assert (invoice.status, invoice.invoicing_error, invoice.issue_attempts.count()) == ("INVOICE_ISSUED", "", 1)
    [made] = shop.stripe.invoices.list().data
    assert (made.id, made.total, made.description) == (invoice.external_invoice_id, 1_000, "As agreed")
    assert (made.collection_method, made.due_date - made.created) == ("send_invoice", 14 * 86400)


def test_after_a_day_an_invoice_is_looked_for_and_not_made_again(shop: Shop) -> None:
    through_stripe(shop)
    invoice = generated(shop.customer())
    shop.fail("/v1/invoices$", "timeout_after")
    issue(invoice, real_now=NOW())
    shop.mend()
    forgotten(IssueAttempt, "real_started_at")
    issue(invoice, real_now=NOW())
    invoice.refresh_from_db()
    assert invoice.status == "INVOICE_ISSUED"
    assert [made.id for made in shop.stripe.invoices.list().data] == [invoice.external_invoice_id]


def test_after_a_day_a_customer_is_looked_for_and_not_made_again(shop: Shop) -> None:
    customer: Customer = CustomerFactory.create(vendor=shop.vendor)
    shop.stripe.customers.create({"email": customer.email, "name": "A namesake"})
    shop.fail("/v1/customers$", "timeout_after")
    assert customers.generate(customer, actor=OPERATOR, real_now=NOW()).state == StripeCustomer.State.PENDING
    shop.mend()
    forgotten(StripeCustomer, "requested_at")
    row = customers.generate(customer, actor=OPERATOR, real_now=NOW())
    made = [one.id for one in shop.stripe.customers.list().data if "portal_customer" in one.metadata]
    assert (row.state, [row.external_id]) == (StripeCustomer.State.LINKED, made)


def forgotten(model: Any, column: str) -> None:
    """More than a day went by, and Stripe has let go of the keys."""
    IdempotentAnswer.objects.all().delete()
    model.objects.update(**{column: NOW() - KEYS_LAST - timedelta(hours=2)})


# One channel


def test_an_invoice_is_collected_in_one_place(shop: Shop) -> None:
    """A Stripe invoice by its own intent alone, whoever pays; one that we e-mail without any page to pay on."""
    external = shop.issue(order_for(shop.customer("pm_card_chargeCustomerFail"), 500, advance=Advance.AT_ONCE))
    StripeGateway().collect(shop.connection.reference, external.external_id, idempotency_key="again", known=1)
    assert len(shop.stripe.payment_intents.list().data) == 1
    assert external.hosted_url
    through_stripe(shop, invoice_via_octane=True, charges_enabled=True)
    invoice = generated(shop.customer("pm_card_chargeCustomerFail"))
    issue(invoice, real_now=NOW())
    invoice.refresh_from_db()
    assert (invoice.status, invoice.hosted_url, invoice.external_invoice_id) == ("PAYMENT_FAILED", "", "")
    assert len(shop.stripe.invoices.list().data) == 1


def test_pages_that_customers_are_handed_collect_nothing(shop: Shop) -> None:
    """A Checkout page that is still open can save a card, and never pay a second time."""
    from payments.stripe import customer_links

    customer = shop.customer()
    customer_links.card_link(customer, actor=OPERATOR, real_now=NOW())
    [session] = shop.stripe.checkout.sessions.list().data
    assert (session.mode, session.amount_total, session.payment_intent) == ("setup", None, None)


# Webhooks


def test_events_of_one_invoice_delivered_all_at_once(shop: Shop) -> None:
    invoice = issued(shop, shop.customer(), 700)
    shop.move_clock(hours=2)
    events = shop.events_sent() * 2

    def deliver(event: dict[str, Any]) -> int:
        try:
            return int(post(event).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(deliver, events)) == {200}
    shop.deliver(events)  # whoever was turned away at the object is looked at now
    invoice.refresh_from_db()
    assert (invoice.status, invoice.payments.count(), shop.kinds().count("invoice.paid")) == ("INVOICE_PAID", 1, 1)
    assert len(stored()) == len(events) // 2
    assert not StripeEvent.objects.filter(state="failed").exists()
    assert not StripeEvent.objects.filter(reason__contains="Error").exists()


def test_what_was_seen_earlier_never_undoes_what_was_seen_later(shop: Shop) -> None:
    terms: dict[str, Any] = {"advance": Advance.AT_ONCE, "collection": Collection.SEND_INVOICE}
    invoice = issued(shop, shop.customer(), 700, **terms)
    asked = client_for(shop.connection)
    earlier = reading.fetch(asked, invoice.external_invoice_id)
    shop.stripe.invoices.pay(invoice.external_invoice_id)
    assert settle(invoice.external_invoice_id, reading.fetch(asked, invoice.external_invoice_id), real_now=NOW()) == ""
    said = settle(invoice.external_invoice_id, earlier, real_now=NOW())
    invoice.refresh_from_db()
    assert (said, invoice.status) == ("What was seen later is known already.", "INVOICE_PAID")
    assert shop.kinds().count("invoice.reopened") == 0


def test_a_body_is_checked_byte_for_byte_as_it_came(account: str) -> None:
    """Stripe sends JSON with spaces and line breaks; no form of Django's stands before it."""
    raw = json.dumps(an_event(account, note="Zoë"), indent=2, ensure_ascii=False, sort_keys=True).encode()
    header = {"Stripe-Signature": signature.sign(raw, SECRET, at=int(NOW().timestamp()))}
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(WEBHOOK, raw, content_type="application/json", headers=header).status_code == 200
    again = json.dumps(json.loads(raw)).encode()
    assert strict.post(WEBHOOK, again, content_type="application/json", headers=header).status_code == 400
    assert len(stored()) == 1


def test_a_payment_that_belongs_to_no_invoice_is_none_of_ours(shop: Shop) -> None:
    stranger = shop.stripe.customers.create({"email": "x@example.com"})
    terms = {"amount": 700, "currency": "usd", "customer": stranger.id, "confirm": True, "off_session": True}
    card = shop.stripe.payment_methods.attach("pm_card_createDispute", {"customer": stranger.id}).id
    theirs: Any = {**terms, "payment_method": card, "metadata": {"portal_charge": "invoice-1-charge-1"}}
    shop.stripe.payment_intents.create({**terms, "payment_method": card})
    shop.stripe.payment_intents.create(theirs)
    shop.deliver()
    told = dict(stored())
    assert {told["payment_intent.succeeded"], told["charge.dispute.created"]} == {"ignored"}
    assert "failed" not in told.values()


# Customers


@pytest.mark.parametrize("advance", [Advance.SCHEDULED, Advance.AT_ONCE])
def test_a_card_that_was_removed_unheard_is_not_charged(shop: Shop, advance: Advance) -> None:
    customer = shop.customer(default=False)
    row = customer.stripe_customers.get()
    shop.stripe.payment_methods.detach(row.payment_methods.get().external_id)
    order = order_for(customer, 500, advance=advance)
    try:
        made = shop.issue(order, "first")
    except GatewayRejected:
        made = shop.issue(order, "second")  # as the schedule does; what is known of the customer was mended
    state = StripeGateway().fetch_invoice(shop.connection.reference, made.external_id)
    assert shop.stripe.charges.list().data == []
    assert state.status in (GatewayStatus.DRAFT, GatewayStatus.OPEN)
    assert len(shop.stripe.invoices.list().data) == 1
    assert row.payment_methods.exists() is (advance == Advance.AT_ONCE)  # its refusal is a failed payment


def test_a_card_that_was_removed_unheard_is_not_charged_for_an_email(shop: Shop) -> None:
    through_stripe(shop, invoice_via_octane=True)
    customer = shop.customer(default=False)
    shop.stripe.payment_methods.detach(customer.stripe_customers.get().payment_methods.get().external_id)
    invoice = generated(customer)
    issue(invoice, real_now=NOW())
    invoice.refresh_from_db()
    assert shop.stripe.charges.list().data == []
    assert invoice.status == "PAYMENT_FAILED"
    assert not customer.stripe_customers.get().payment_methods.exists()  # so that the next try knows


def test_a_balance_in_stripe_is_shown_and_nothing_is_left_to_pay(shop: Shop) -> None:
    customer = shop.customer()
    external = customer.stripe_customers.get().external_id
    shop.stripe.customers.update(external, {"balance": -700})
    made = [numbered(issued(shop, customer, amount, advance=Advance.AT_ONCE)) for amount in (500, 1_000)]
    shop.stripe.customers.update(external, {"balance": 300})
    made.append(issued(shop, customer, 1_000, advance=Advance.AT_ONCE))
    shop.deliver()
    seen = {}
    for invoice in made:
        invoice.refresh_from_db()
        assert (invoice.status, invoice.amount_remaining) == ("INVOICE_PAID", 0)
        seen[invoice.pk] = (invoice.amount_from_balance, invoice.amount_paid)
    assert list(seen.values()) == [(500, 0), (200, 800), (-300, 1_300)]
    assert len(shop.stripe.charges.list().data) == 2


def numbered(invoice: Invoice) -> Invoice:
    Invoice.objects.filter(pk=invoice.pk).update(number=f"INV-{invoice.pk}-A")
    return invoice


def test_voiding_gives_a_balance_back(shop: Shop) -> None:
    customer = shop.customer("pm_card_chargeCustomerFail")
    shop.stripe.customers.update(customer.stripe_customers.get().external_id, {"balance": -200})
    invoice = issued(shop, customer, 500, advance=Advance.AT_ONCE)
    shop.deliver()
    invoice.refresh_from_db()
    assert (invoice.status, invoice.amount_from_balance, invoice.amount_remaining) == ("PAYMENT_FAILED", 200, 300)
    shop.stripe.invoices.void_invoice(invoice.external_invoice_id)
    shop.deliver()
    invoice.refresh_from_db()
    assert (invoice.status, invoice.amount_from_balance) == ("INVOICE_VOIDED", 0)


# Money


@pytest.mark.parametrize(("currency", "amounts"), [("JPY", (1_234, -34)), ("KWD", (1_230, 10)), ("HUF", (99_901,))])
def test_currencies_with_other_decimals_arrive_as_they_are(shop: Shop, currency: str, amounts: tuple[int, ...]) -> None:
    made = shop.issue(order_for(shop.customer(), *amounts, currency=currency, advance=Advance.AT_ONCE))
    invoice = shop.stripe.invoices.retrieve(made.external_id)
    assert (invoice.currency, invoice.total, invoice.amount_paid) == (currency.lower(), sum(amounts), sum(amounts))
    assert [charge.amount for charge in shop.stripe.charges.list().data] == [sum(amounts)]


def test_lines_are_whole_amounts_and_stripe_multiplies_nothing(shop: Shop) -> None:
    shop.issue(order_for(shop.customer(), 333, 334))
    [added] = [e for e in shop.sandbox.traffic.exchanges if e["path"].endswith("/add_lines")]
    sent = parse_qsl(added["params"])
    assert [value for name, value in sent if name.endswith("[amount]")] == ["333", "334"]
    assert not [name for name, _ in sent if "quantity" in name or "price" in name or "unit_amount" in name]


# Twice


def test_what_is_in_the_wanted_state_already_is_a_success(shop: Shop) -> None:
    gateway, account, customer = StripeGateway(), shop.connection.reference, shop.customer(card="")
    terms: dict[str, Any] = {"advance": Advance.AT_ONCE, "collection": Collection.SEND_INVOICE}
    wanted = {"mark_uncollectible": "uncollectible", "void_invoice": "void", "mark_paid": "paid"}
    for verb, status in wanted.items():
        external = shop.issue(order_for(customer, 500, **terms), verb).external_id
        for key in ("a", "b"):
            state = getattr(gateway, verb)(account, external, idempotency_key=f"{verb}-{key}")
            assert (state.status, state.refused) == (status, "")


# The client


class Listening(stripe.HTTPClient):
    """In place of the network: what was to be sent."""

    name = "listening"

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    def request_with_retries(self, method: str, url: str, headers: Any, *args: Any, **options: Any) -> Any:
        self.asked.append((method, url, dict(headers)))
        page = {"object": "list", "data": [], "has_more": False, "url": "/v1/x"}
        return json.dumps({"id": "x_1", "nested": {"deep": 1}, **page}), 200, {}

    def close(self) -> None:
        """Nothing is open."""


def arguments_of(call: Any) -> dict[str, Any]:
    """Something of the right type for each parameter that must be given."""
    known = {"str": "x_1", "Params": {"metadata": {"a": "b"}}, "list[str]": ["customer"]}
    wanted = inspect.signature(call).parameters.values()
    return {one.name: known[str(one.annotation)] for one in wanted if one.default is inspect.Parameter.empty}


def calls_of(target: AccountClient) -> list[str]:
    return [name for name, _ in inspect.getmembers(target, inspect.ismethod) if not name.startswith("_")]


def test_every_call_names_the_account_and_gives_back_plain_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the header it would reach the platform's own account. With a key of its own there is no platform."""
    network = Listening()
    monkeypatch.setattr(client, "sdk", lambda key: stripe.StripeClient(key, http_client=network))
    monkeypatch.setattr(client, "secret_key", lambda livemode: "sk_test_platform")
    monkeypatch.setattr(limits.limiter, "wait", lambda *args: None)
    names = calls_of(AccountClient("acct_1", False))
    assert len(names) > 35
    for name in names:
        for own_key in ("", "sk_test_own"):
            call = getattr(AccountClient("acct_1", False, own_key), name)
            given = {"what": "invoices"} if name == "list_page" else {}
            answer = call(**{**arguments_of(call), **given})
            assert type(answer) in (dict, list), name
            if isinstance(answer, dict):
                assert type(answer.get("nested", {})) is dict, name
            headers = network.asked[-1][2]
            expected = (None, "Bearer sk_test_own") if own_key else ("acct_1", "Bearer sk_test_platform")
            assert (headers.get("Stripe-Account"), headers["Authorization"]) == expected, name
            if network.asked[-1][0] == "post":
                assert headers["Idempotency-Key"] == "x_1", name


def test_calls_are_tried_again_and_end_before_their_task_does(settings: Any) -> None:
    made = client.sdk("sk_test_1")
    known: Any = made._requestor._client
    assert known is not None
    assert (RETRIES, max(TIMEOUT)) == (2, 20)
    assert made._requestor._options.max_network_retries == RETRIES
    assert known._timeout == TIMEOUT
    longest = sum(TIMEOUT) * (RETRIES + 1)
    assert longest < django_settings.CELERY_TASK_SOFT_TIME_LIMIT
