"""Stripe invoices made through the official SDK over real HTTP, and how many calls that takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from customers.models import Customer
from invoicing.gateways import Advance, Collection, GatewayRejected, GatewayStatus, GatewayUnavailable
from payments.models import StripeConnection
from payments.stripe.client import AccountClient
from payments.stripe.gateway import StripeGateway
from payments.stripe.issuing import NO_EMAIL
from payments.stripe.plan import NO_METHOD_NOTE
from tests.factories import CustomerFactory
from tests.payments.stripe.conftest import Shop, order_for

ALL_ADVANCES = [Advance.DRAFT, Advance.SCHEDULED, Advance.AT_ONCE]


@pytest.mark.parametrize("count", [1, 10, 100, 250, 251, 1000])
def test_three_calls_whatever_the_number_of_lines(shop: Shop, count: int) -> None:
    customer = shop.customer()
    before = shop.mark()
    made = shop.issue(order_for(customer, *range(100, 100 + count)))
    external = made.external_id
    assert shop.calls(before) == [
        ("POST", "/v1/invoices"),
        ("POST", f"/v1/invoices/{external}/add_lines"),
        ("POST", f"/v1/invoices/{external}"),
    ]
    invoice = shop.stripe.invoices.retrieve(external)
    assert invoice.total == sum(range(100, 100 + count))
    assert invoice.status == "draft"
    assert invoice.auto_advance is True
    assert invoice.collection_method == "charge_automatically"


def test_every_call_is_made_for_the_vendors_account(shop: Shop) -> None:
    shop.issue(order_for(shop.customer(), 100, advance=Advance.AT_ONCE))
    asked = [e["headers"] for e in shop.sandbox.traffic.exchanges]
    ours = [headers for headers in asked if headers.get("Stripe-Account")]
    assert len(ours) == len(asked)
    assert {headers["Stripe-Account"] for headers in ours} == {shop.sandbox.account}


def test_what_the_invoice_says(shop: Shop) -> None:
    customer = shop.customer()
    order = order_for(customer, 9900, 8638, memo="m" * 2000, footer="Bank: First\nIBAN: 1")
    invoice = shop.stripe.invoices.retrieve(shop.issue(order).external_id)
    assert invoice.description == "m" * 1499 + "…"
    assert invoice.footer == "Bank: First\nIBAN: 1"
    assert invoice.metadata["portal_invoice"] == order.invoice_uuid
    lines = {line.description: line for line in invoice.lines.data}
    assert {text: line.amount for text, line in lines.items()} == {"Item 0": 9900, "Item 1": 8638}
    assert lines["Item 1"].metadata["portal_line"] == "line-1"
    assert lines["Item 1"].period.start == 1767225600


def test_stripe_charges_after_its_draft_hour(shop: Shop) -> None:
    customer = shop.customer()
    made = shop.issue(order_for(customer, 18538))
    assert made.status == GatewayStatus.DRAFT
    shop.move_clock(minutes=50)
    assert StripeGateway().fetch_invoice(shop.connection.reference, made.external_id).status == GatewayStatus.DRAFT
    shop.move_clock(minutes=20)
    state = StripeGateway().fetch_invoice(shop.connection.reference, made.external_id)
    assert state.status == GatewayStatus.PAID
    assert state.amount_paid == 18538
    [payment] = state.payments
    assert payment.succeeded
    assert (payment.amount, payment.method) == (18538, "Visa ending in 4242")


def test_send_invoice_has_days_until_due(shop: Shop) -> None:
    customer = shop.customer(card="")
    made = shop.issue(order_for(customer, 500, collection=Collection.SEND_INVOICE, days_until_due=21))
    assert made.collection == "send_invoice"
    assert made.note == ""
    invoice = shop.stripe.invoices.retrieve(made.external_id)
    assert invoice.due_date == invoice.created + 21 * 86400


DUE = {"due_date": "2030-03-04", "days_until_due": 21}


@pytest.mark.parametrize(
    ("collection", "advance", "calls"),
    [
        (Collection.SEND_INVOICE, Advance.SCHEDULED, 3),
        (Collection.SEND_INVOICE, Advance.AT_ONCE, 4),
        (Collection.SEND_INVOICE, Advance.DRAFT, 2),
        (Collection.CHARGE_AUTOMATICALLY, Advance.SCHEDULED, 3),  # sent instead: there is nothing to charge
        (Collection.CHARGE_AUTOMATICALLY, Advance.AT_ONCE, 4),
    ],
)
def test_a_day_that_was_chosen_goes_before_the_days_until_due(
    shop: Shop, collection: Collection, advance: Advance, calls: int
) -> None:
    shop.vendor.time_zone = "America/New_York"
    shop.vendor.save()
    customer = shop.customer(card="")
    before = shop.mark()
    made = shop.issue(order_for(customer, 500, collection=collection, advance=advance, **DUE))
    assert len(shop.calls(before)) == calls
    shop.move_clock(hours=2)
    invoice = shop.stripe.invoices.retrieve(made.external_id)
    assert datetime.fromtimestamp(invoice.due_date, UTC) == datetime(2030, 3, 5, 4, 59, 59, tzinfo=UTC)
    assert made.due_date == datetime(2030, 3, 5, 4, 59, 59, tzinfo=UTC)


def test_a_day_that_was_chosen_is_nothing_to_a_stripe_invoice_that_is_charged(shop: Shop) -> None:
    made = shop.issue(order_for(shop.customer(), 500, **DUE))
    assert (made.collection, made.due_date) == ("charge_automatically", None)


@pytest.mark.parametrize("collection", list(Collection))
def test_without_an_email_in_stripe_the_issue_fails(shop: Shop, collection: Collection) -> None:
    customer = shop.customer(email="")
    for advance in ALL_ADVANCES:
        with pytest.raises(GatewayRejected) as refusal:
            shop.issue(order_for(customer, 500, advance=advance, collection=collection), advance)
        assert refusal.value.message == NO_EMAIL
    assert shop.stripe.invoices.list().data == []


def test_a_customer_deleted_in_stripe(shop: Shop) -> None:
    customer = shop.customer()
    shop.stripe.customers.delete(customer.stripe_customers.get().external_id)
    with pytest.raises(GatewayRejected, match="no longer exists in Stripe"):
        shop.issue(order_for(customer, 500))
    assert shop.stripe.invoices.list().data == []


@pytest.mark.parametrize("advance", [Advance.SCHEDULED, Advance.AT_ONCE])
def test_without_a_payment_method_it_is_sent(shop: Shop, advance: Advance) -> None:
    customer = shop.customer(card="")
    before = shop.mark()
    made = shop.issue(order_for(customer, 500, advance=advance, days_until_due=7))
    assert len(shop.calls(before)) == (3 if advance == Advance.SCHEDULED else 4)
    assert made.collection == "send_invoice"
    assert made.note == NO_METHOD_NOTE
    invoice = shop.stripe.invoices.retrieve(made.external_id)
    assert invoice.due_date is not None
    assert invoice.auto_advance is True
    assert invoice.status == ("draft" if advance == Advance.SCHEDULED else "open")


@pytest.mark.parametrize("advance", [Advance.SCHEDULED, Advance.AT_ONCE])
def test_an_attached_method_that_is_not_the_default_is_charged(shop: Shop, advance: Advance) -> None:
    customer = shop.customer(default=False)
    before = shop.mark()
    made = shop.issue(order_for(customer, 500, advance=advance))
    assert len(shop.calls(before)) == (3 if advance == Advance.SCHEDULED else 4)
    assert made.collection == "charge_automatically"
    shop.move_clock(hours=2)
    assert StripeGateway().fetch_invoice(shop.connection.reference, made.external_id).status == GatewayStatus.PAID


def test_an_expired_card_is_no_usable_method(shop: Shop) -> None:
    customer = shop.customer()
    expiry = customer.stripe_customers.get().payment_methods.get()
    assert expiry.exp_year is not None
    years = expiry.exp_year + 1 - timezone.now().year
    shop.move_clock(days=366 * years)
    made = shop.issue(order_for(customer, 500))
    assert (made.collection, made.note) == ("send_invoice", NO_METHOD_NOTE)


def test_draft_mode_leaves_it_alone(shop: Shop) -> None:
    customer = shop.customer()
    before = shop.mark()
    made = shop.issue(order_for(customer, 500, advance=Advance.DRAFT))
    assert len(shop.calls(before)) == 2
    shop.move_clock(days=5)
    invoice = shop.stripe.invoices.retrieve(made.external_id)
    assert (invoice.status, invoice.auto_advance) == ("draft", False)


def test_at_once_it_is_finalized_and_paid_with_four_calls(shop: Shop) -> None:
    customer = shop.customer()
    before = shop.mark()
    made = shop.issue(order_for(customer, 18538, advance=Advance.AT_ONCE))
    assert [path.rpartition("/")[2] for _, path in shop.calls(before)] == ["invoices", "add_lines", "finalize", "pay"]
    assert made.status == GatewayStatus.PAID
    [payment] = made.payments
    assert (payment.succeeded, payment.amount, payment.method) == (True, 18538, "Visa ending in 4242")
    assert made.number
    assert made.hosted_url.startswith("http")
    again = StripeGateway().fetch_invoice(shop.connection.reference, made.external_id)
    assert [p.external_id for p in again.payments] == [payment.external_id]


def test_at_once_it_is_finalized_and_sent_with_four_calls(shop: Shop) -> None:
    customer = shop.customer(card="")
    before = shop.mark()
    made = shop.issue(order_for(customer, 500, advance=Advance.AT_ONCE, collection=Collection.SEND_INVOICE))
    assert [path.rpartition("/")[2] for _, path in shop.calls(before)] == ["invoices", "add_lines", "finalize", "send"]
    assert made.status == GatewayStatus.OPEN
    assert made.due_date is not None


def test_a_declined_card_is_a_failed_payment_and_not_a_failed_issue(shop: Shop) -> None:
    customer = shop.customer("pm_card_chargeCustomerFail")
    made = shop.issue(order_for(customer, 500, advance=Advance.AT_ONCE))
    assert made.status == GatewayStatus.OPEN
    [payment] = made.payments
    assert not payment.succeeded
    assert payment.method == "Visa ending in 0341"
    assert payment.error_code
    assert payment.error_code in payment.error


def test_nothing_to_pay_is_paid_at_once(shop: Shop) -> None:
    made = shop.issue(order_for(shop.customer(), 500, -500, advance=Advance.AT_ONCE))
    assert made.status == GatewayStatus.PAID
    assert made.payments == ()


@pytest.mark.parametrize("advance", ALL_ADVANCES)
def test_the_same_key_makes_one_invoice(shop: Shop, advance: Advance) -> None:
    customer = shop.customer()
    order = order_for(customer, 500, advance=advance)
    first = shop.issue(order)
    assert shop.issue(order) == first
    assert len(shop.stripe.invoices.list().data) == 1


STEPS = [r"/v1/invoices$", "/add_lines$", r"/finalize$", r"/pay$"]


FAULTS = ["timeout_before", "timeout_after", "error_500_before", "error_500_after", "lock_timeout", "rate_limit"]
FAULTS += ["conflict", "garbage"]


@pytest.mark.parametrize("kind", FAULTS)
def test_a_step_without_an_answer_is_taken_up_again(shop: Shop, kind: str) -> None:
    order = order_for(shop.customer(), 500, advance=Advance.AT_ONCE)
    for step in STEPS:
        shop.fail(step, kind)
        with pytest.raises(GatewayUnavailable):
            shop.issue(order)
        shop.mend()
    made = shop.issue(order)
    assert made.status == GatewayStatus.PAID
    assert len(shop.stripe.invoices.list().data) == 1
    assert len(shop.stripe.charges.list().data) == 1


def refusing(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """This call is carried out, and then access is lost: 403 for it and for every look at the invoice."""
    carry_out = getattr(AccountClient, call)
    refusal = GatewayRejected("Stripe does not let us act for account acct_1.", code="permission_error")

    def refused(*args: Any, **options: Any) -> Any:
        raise refusal

    def carried_out(*args: Any, **options: Any) -> Any:
        carry_out(*args, **options)
        raise refusal

    monkeypatch.setattr(AccountClient, call, carried_out)
    monkeypatch.setattr(AccountClient, "retrieve_invoice", refused)
    monkeypatch.setattr(AccountClient, "delete_draft", refused)


@pytest.mark.parametrize(
    ("call", "advance"),
    [
        ("add_lines", Advance.SCHEDULED),
        ("update_invoice", Advance.SCHEDULED),
        ("finalize_invoice", Advance.AT_ONCE),
        ("pay_invoice", Advance.AT_ONCE),
    ],
)
def test_access_lost_at_the_very_moment(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, call: str, advance: Advance
) -> None:
    """A refusal that may hide a live invoice is not believed: the attempt stays under way, and goes on later."""
    order = order_for(shop.customer(), 500, advance=advance)
    with monkeypatch.context() as during:
        refusing(call, during)
        with pytest.raises(GatewayUnavailable):
            shop.issue(order)
    made = shop.issue(order)
    assert [one.id for one in shop.stripe.invoices.list().data] == [made.external_id]
    assert made.status == (GatewayStatus.PAID if advance == Advance.AT_ONCE else GatewayStatus.DRAFT)
    assert len(shop.stripe.charges.list().data) == (advance == Advance.AT_ONCE)


def test_who_charges_first_also_tries_again(shop: Shop) -> None:
    """Stripe's schedule where Stripe charges after its draft hour, ours where we paid at once: never both."""
    customer = shop.customer("pm_card_chargeCustomerFail")
    later = shop.issue(order_for(customer, 500), "a").external_id
    at_once = shop.issue(order_for(customer, 500, advance=Advance.AT_ONCE), "b").external_id
    shop.move_clock(hours=2)
    later, at_once = (shop.stripe.invoices.retrieve(external) for external in (later, at_once))
    assert (later.auto_advance, later.attempt_count, later.next_payment_attempt is None) == (True, 1, False)
    assert (at_once.auto_advance, at_once.attempt_count, at_once.next_payment_attempt) == (False, 1, None)


def test_a_total_that_differs_is_not_issued(shop: Shop) -> None:
    customer = shop.customer()
    with pytest.raises(GatewayRejected) as refusal:
        shop.issue(order_for(customer, 500, total=501))
    assert "$5.00" in refusal.value.message
    assert "$5.01" in refusal.value.message
    assert shop.stripe.invoices.list().data == []


def test_a_balance_in_stripe_does_not_count_as_a_difference(shop: Shop) -> None:
    customer = shop.customer()
    shop.stripe.customers.update(customer.stripe_customers.get().external_id, {"balance": -200})
    made = shop.issue(order_for(customer, 500, advance=Advance.AT_ONCE))
    assert made.status == GatewayStatus.PAID
    assert [payment.amount for payment in made.payments] == [300]


def test_lines_that_stripe_refuses_leave_no_draft(shop: Shop) -> None:
    """Here because the key was used for other lines before."""
    order = order_for(shop.customer(), 500)
    shop.issue(order)
    other = order_for(Customer.objects.get(), 700, invoice_uuid=order.invoice_uuid)
    with pytest.raises(GatewayRejected, match="with other contents"):
        shop.issue(other)
    assert shop.stripe.invoices.list().data == []


def test_finalized_meanwhile_by_somebody_else(shop: Shop) -> None:
    """A step refused because the invoice has moved on is looked at again, not failed."""
    customer = shop.customer()
    order = order_for(customer, 500, advance=Advance.AT_ONCE)
    shop.fail("/finalize$")
    with pytest.raises(GatewayUnavailable):
        shop.issue(order)
    [draft] = shop.stripe.invoices.list().data
    shop.stripe.invoices.finalize_invoice(draft.id)
    assert shop.issue(order).status == GatewayStatus.PAID


def test_remember_is_told_before_anything_else_can_fail(shop: Shop) -> None:
    customer = shop.customer()
    shop.fail("/add_lines$")
    told: list[str] = []
    with pytest.raises(GatewayUnavailable):
        StripeGateway().issue_invoice(order_for(customer, 500), idempotency_key="k", remember=told.append)
    assert told == [shop.stripe.invoices.list().data[0].id]


def test_without_a_counterpart(shop: Shop) -> None:
    customer = CustomerFactory.create(vendor=shop.vendor)
    with pytest.raises(GatewayRejected, match=r"no Stripe customer\. Generate or link one"):
        shop.issue(order_for(customer, 500))


def test_without_a_connection(shop: Shop) -> None:
    customer = shop.customer()
    order = order_for(customer, 500)
    StripeConnection.objects.update(is_active=False, disconnected_at=timezone.now())
    with pytest.raises(GatewayUnavailable, match=f"The Stripe account {shop.account} is not connected"):
        shop.issue(order)
    with pytest.raises(GatewayUnavailable, match=f"The Stripe account {shop.account} is not connected"):
        shop.issue(order_for(customer, 500))
    StripeConnection.objects.update(disconnected_at=None)
    with pytest.raises(GatewayUnavailable, match="No Stripe account acts for you at present"):
        shop.issue(order_for(customer, 500))
    with pytest.raises(GatewayRejected, match="No Stripe account is connected"):
        shop.issue(order_for(CustomerFactory(), 500))


def test_void_and_pay_out_of_band(shop: Shop) -> None:
    gateway, customer = StripeGateway(), shop.customer(card="")
    draft = shop.issue(order_for(customer, 100, advance=Advance.DRAFT), "a").external_id
    terms: dict[str, Any] = {"advance": Advance.AT_ONCE, "collection": Collection.SEND_INVOICE}
    opened = shop.issue(order_for(customer, 200, **terms), "b").external_id
    unpaid = shop.issue(order_for(customer, 300, **terms), "c").external_id
    account = shop.connection.reference
    for external in (draft, opened):
        for _ in range(2):
            state = gateway.void_invoice(account, external, idempotency_key="v" + external)
            assert state.status == GatewayStatus.VOID
    for _ in range(2):
        state = gateway.mark_paid(account, unpaid, idempotency_key="p")
        assert (state.status, state.amount_paid, state.payments) == (GatewayStatus.PAID, 300, ())
    state = gateway.void_invoice(account, unpaid, idempotency_key="v")
    assert (state.status, state.refused) == (GatewayStatus.PAID, "It was paid in Stripe before.")


def test_an_invoice_whose_key_stripe_has_forgotten_is_found_again(shop: Shop) -> None:
    from payments.stripe import reading
    from payments.stripe.client import client_for

    customer = shop.customer()
    order = order_for(customer, 500)
    made = shop.issue(order)
    external, client = customer.stripe_customers.get().external_id, client_for(shop.connection)
    since = timezone.now() - timedelta(days=2)
    found = reading.find(client, order, external, since)
    assert found is not None
    assert found["id"] == made.external_id
    assert reading.find(client, order_for(customer, 500), external, since) is None
