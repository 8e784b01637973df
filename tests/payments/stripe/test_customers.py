"""Counterparts in Stripe: generated, linked, made later, and what they can be charged with."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from customers.countries import country_code
from customers.errors import Conflict, Invalid
from customers.models import Customer, Event
from payments.models import StripeCustomer
from payments.stripe import connect, customers, linking, methods
from payments.stripe.customers import pause
from payments.stripe.methods import PaymentMethodStatus
from payments.tasks import sweep
from tests.factories import CustomerFactory, VendorFactory
from tests.payments.stripe.conftest import OPERATOR, Shop

State = StripeCustomer.State


def new(shop: Shop, **fields: object) -> Customer:
    customer: Customer = CustomerFactory.create(vendor=shop.vendor, **fields)
    return customer


def generate(customer: Customer) -> StripeCustomer:
    return customers.generate(customer, actor=OPERATOR, real_now=timezone.now())


def link(customer: Customer, external_id: str) -> StripeCustomer:
    return linking.link(customer, external_id, actor=OPERATOR, real_now=timezone.now())


def status(customer: Customer) -> PaymentMethodStatus:
    return methods.payment_method_status(customer, real_now=timezone.now())


def test_generate_tells_stripe_who_it_is(shop: Shop) -> None:
    customer = new(
        shop, email="pay@acme.example", address_line_1="1 Main St", city="Bonn", country="Germany", phone="+49 228 1"
    )
    row = generate(customer)
    assert (row.state, row.linked_at is not None) == (State.LINKED, True)
    made = shop.stripe.customers.retrieve(row.external_id)
    assert (made.name, made.email, made.phone) == (customer.display_name, "pay@acme.example", "+49 228 1")
    assert (made.address.line1, made.address.city, made.address.country) == ("1 Main St", "Bonn", "DE")
    assert made.metadata["portal_customer"] == str(customer.pk)
    event = Event.objects.of(shop.vendor).get(kind="customer.payment_gateway_created")
    assert event.payload == {"vendor_name": shop.vendor.name, "customer_name": customer.name}
    assert event.actor_label == OPERATOR.label


def test_generating_twice_is_refused_and_makes_one(shop: Shop) -> None:
    customer = new(shop)
    row = generate(customer)
    with pytest.raises(Conflict, match=row.external_id):
        generate(customer)
    assert len(shop.stripe.customers.list().data) == 1


def test_generating_while_it_is_being_generated_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    customer, seen = new(shop), []

    def during(row: StripeCustomer, **kwargs: object) -> StripeCustomer:
        seen.append(StripeCustomer.objects.get(pk=row.pk).request["name"])
        with pytest.raises(Conflict, match="at this moment"):
            generate(customer)
        return row

    monkeypatch.setattr(customers, "_make", during)
    generate(customer)
    assert seen == [customer.display_name]


def test_without_a_connection(db: None) -> None:
    with pytest.raises(Conflict, match="Connect one under Settings"):
        generate(CustomerFactory.create())


@pytest.mark.parametrize("kind", ["timeout_before", "timeout_after", "error_500_before", "rate_limit"])
def test_out_of_reach_it_is_made_by_the_sweep(shop: Shop, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = new(shop)
    shop.fail("/v1/customers$", kind)
    row = generate(customer)
    assert row.state == State.PENDING
    assert row.last_error
    assert status(customer) == PaymentMethodStatus.NO_PAYMENT_GATEWAY_CREDENTIAL
    shop.mend()
    sweep()
    row.refresh_from_db()
    assert row.state == State.PENDING, "its pause is not over"
    later = timezone.now() + timedelta(minutes=1)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    sweep()
    row.refresh_from_db()
    assert (row.state, row.last_error) == (State.LINKED, "")
    assert [c.id for c in shop.stripe.customers.list().data] == [row.external_id]
    assert shop.kinds() == ["customer.payment_gateway_created"]


def test_a_person_need_not_wait_for_the_sweep(shop: Shop) -> None:
    customer = new(shop)
    shop.fail("/v1/customers$")
    assert generate(customer).state == State.PENDING
    assert generate(customer).state == State.LINKED
    assert len(shop.stripe.customers.list().data) == 1


def test_refused_by_stripe_it_can_be_mended_and_generated_again(shop: Shop, settings: object) -> None:
    customer = new(shop)
    settings.STRIPE_TEST_SECRET_KEY = "sk_test_wrong"  # type: ignore[attr-defined]
    row = generate(customer)
    assert row.state == State.FAILED
    assert "secret key" in row.last_error
    assert "sk_test" not in row.last_error
    settings.STRIPE_TEST_SECRET_KEY = shop.sandbox.secret_key  # type: ignore[attr-defined]
    assert generate(customer).state == State.LINKED
    assert shop.kinds() == ["customer.payment_gateway_failed", "customer.payment_gateway_created"]


def test_link_brings_its_payment_methods(shop: Shop) -> None:
    made = shop.stripe.customers.create({"name": "Acme", "email": "a@example.com"})
    shop.stripe.payment_methods.attach("pm_card_visa", {"customer": made.id})
    customer = new(shop)
    row = link(customer, made.id)
    assert (row.state, row.external_id) == (State.LINKED, made.id)
    assert [str(method) for method in row.payment_methods.all()] == ["Visa ending in 4242"]
    assert link(customer, made.id).pk == row.pk
    assert shop.kinds() == ["customer.payment_gateway_created", "customer.payment_method.updated"]


@pytest.mark.parametrize(
    ("external_id", "says"),
    [("4242", "It starts with cus_"), ("cus_nobody", "There is no customer cus_nobody in the Stripe account acct_")],
)
def test_linking_a_wrong_id(shop: Shop, external_id: str, says: str) -> None:
    with pytest.raises(Invalid) as refusal:
        link(new(shop), external_id)
    assert says in refusal.value.errors["account_id"][0]
    assert not StripeCustomer.objects.exists()


def test_linking_one_that_is_deleted_or_linked_elsewhere(shop: Shop) -> None:
    gone = shop.stripe.customers.create({"name": "Gone"})
    shop.stripe.customers.delete(gone.id)
    with pytest.raises(Invalid, match="was deleted in Stripe"):
        link(new(shop), gone.id)
    taken = generate(new(shop)).external_id
    with pytest.raises(Invalid, match="linked to another customer"):
        link(new(shop), taken)


def test_linking_another_to_a_linked_one(shop: Shop) -> None:
    customer = shop.customer(card="")
    other = shop.stripe.customers.create({"name": "Other"})
    with pytest.raises(Conflict, match="already"):
        link(customer, other.id)


def test_linking_while_stripe_is_out_of_reach_changes_nothing(shop: Shop) -> None:
    shop.fail("/v1/customers/")
    with pytest.raises(Conflict, match="Try again"):
        link(new(shop), "cus_any")
    assert not StripeCustomer.objects.exists()


def test_payment_method_status_has_four_values(shop: Shop) -> None:
    customer = new(shop)
    assert status(customer) == "NO_PAYMENT_GATEWAY_CREDENTIAL"
    row = generate(customer)
    assert status(customer) == "NO_PAYMENT_METHOD"
    shop.attach(row, "pm_card_visa")
    assert status(customer) == "VALID_PAYMENT_METHOD"
    row.payment_methods.update(exp_year=2001)
    assert status(customer) == "EXPIRED_PAYMENT_METHOD"


def test_a_card_is_good_through_the_end_of_its_month(shop: Shop) -> None:
    customer = shop.customer()
    now = timezone.now()
    customer.stripe_customers.get().payment_methods.update(exp_year=now.year, exp_month=now.month)
    assert status(customer) == "VALID_PAYMENT_METHOD"


def test_an_account_belongs_to_one_vendor(shop: Shop) -> None:
    account, now = shop.sandbox.account, timezone.now()
    again = connect.attach(shop.vendor, account, livemode=False, real_now=now)
    assert again.pk == shop.connection.pk
    with pytest.raises(Conflict, match="another vendor"):
        connect.attach(VendorFactory.create(), account, livemode=False, real_now=now)
    with pytest.raises(Conflict, match="Disconnect it first"):
        connect.attach(shop.vendor, "acct_other", livemode=False, real_now=now)
    with pytest.raises(Invalid, match="acct_"):
        connect.attach(shop.vendor, "4711", livemode=False, real_now=now)
    with pytest.raises(Invalid, match="test mode"):
        connect.attach(shop.vendor, account, livemode=True, real_now=now)


def test_countries_are_sent_as_codes() -> None:
    assert [country_code(c) for c in ("DE", "de", "Germany", " united states ", "Atlantis", "")] == [
        "DE",
        "DE",
        "DE",
        "US",
        "",
        "",
    ]


def test_pauses_grow_up_to_the_longest(settings: Settings) -> None:
    settings.GATEWAY_LONGEST_PAUSE = timedelta(minutes=10)
    assert [pause(n).total_seconds() for n in (1, 2, 3, 12, 1000)] == [10, 20, 40, 600, 600]
