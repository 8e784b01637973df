"""Discounts of a customer's subscription."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from customers.actors import SCHEDULE
from invoicing.invoices.accrual import accrued
from invoicing.invoices.generation import generate_due
from invoicing.invoices.links import pdf_of
from invoicing.invoices.preview import preview
from invoicing.models import BillingCycle, Discount, Invoice, Subscription
from invoicing.subscriptions.advance import end_due_cycles
from invoicing.subscriptions.verbs import subscribe
from tests.api.client import Api, answer, refusal
from tests.factories import CustomerFactory, MeteredComponentFactory, PricePlanFactory

HERE = "/customers/acme/discounts"
NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
MARCH, APRIL, JUNE = (datetime(2026, month, 1, tzinfo=UTC) for month in (3, 4, 6))
TEN_PERCENT = {"discount_type": "PERCENT", "amount": 10}


@pytest.fixture(autouse=True)
def customer(vendor):
    vendor.clock_offset = NOW - timezone.now()
    vendor.save()
    return CustomerFactory(vendor=vendor, name="acme", currency="USD")


@pytest.fixture
def plan(vendor):
    return PricePlanFactory(vendor=vendor, name="pro", display_name="Pro", base_price=10_000)


@pytest.fixture
def subscription(customer, plan):
    return subscribe(customer, plan, effective_at=MARCH, actor=SCHEDULE, now=NOW, real_now=NOW)


def bill_all(until):
    while end_due_cycles(BillingCycle.objects.filter(next_action_at__lte=until), limit=10, real_now=until):
        pass
    generate_due(BillingCycle.objects.filter(next_action_at__lte=until), limit=10, real_now=until)
    return [invoice.amount_due for invoice in Invoice.objects.order_by("period_start")]


def shown(api: Api):
    return answer(api.get("/customers/acme/active_subscription"))["discounts"]


def test_from_the_running_cycle_for_two_cycles(api: Api, subscription) -> None:
    assert answer(api.post(HERE, [{**TEN_PERCENT, "billing_cycle_duration": 2}])) == {}
    [discount] = shown(api)
    assert (discount["scope"], discount["amount"], discount["start_date"], discount["end_date"]) == (
        "INVOICE_TOTAL",
        10,
        "2026-03-01T00:00:00Z",
        "2026-05-01T00:00:00Z",
    )
    assert bill_all(JUNE) == [9_000, 9_000, 10_000]
    line = Invoice.objects.get(period_start=MARCH).line_items.get(kind="DISCOUNT")
    assert (line.name, line.description, line.amount) == ("Invoice Total Discount", "10% of $100.00", -1_000)


def test_given_while_subscribing_from_the_second_cycle_on(api: Api, plan) -> None:
    base = {"discount_type": "FLAT", "amount": 2_500, "scope": "BASE_PRICE", "billing_cycle_start_offset": 1}
    body = {"price_plan_name": "pro", "effective_at": "2026-03-01T00:00:00Z", "discounts": [base]}
    made = answer(api.post("/customers/acme/subscriptions", body))["discounts"]
    assert [(row["scope"], row["start_date"], row["end_date"]) for row in made] == [
        ("BASE_PRICE", "2026-04-01T00:00:00Z", None)
    ]
    assert bill_all(JUNE) == [10_000, 7_500, 7_500]


def test_a_component_and_the_fixed_price(api: Api, plan, subscription) -> None:
    component = MeteredComponentFactory(price_plan=plan, price_scheme__price=Decimal(1), minimum_charge=400)
    given = [
        {**TEN_PERCENT, "scope": "METERED_COMPONENT", "metered_component_uuid": str(component.external_uuid)},
        {**TEN_PERCENT, "scope": "BASE_PRICE"},
    ]
    answer(api.post(HERE, given))
    assert answer(api.get("/customers/acme/active_subscription"))["discounted_fixed_price"] == 9_000
    assert [line.amount for line in preview(subscription, now=NOW).lines] == [10_000, 0, 400, -40, -1_000]
    [bucket] = accrued(subscription.customer, [MARCH, NOW])
    assert bucket.total == 9_000


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": 0}, "1.amount"),
        ({"amount": 101}, "1.amount"),
        ({"discount_type": "FLAT", "amount": 1.5}, "1.amount"),
        ({"discount_type": "FREE"}, "1.discount_type"),
        ({"scope": "ADD_ON"}, "1.add_on_name"),
        ({"scope": "METERED_COMPONENT"}, "1.metered_component_uuid"),
        ({"metered_component_uuid": "3a7cf9b4-27a8-4b1c-8f0e-54a4f6d90fd1"}, "1.metered_component_uuid"),
        ({"labels": {"region": "eu"}}, "1.labels"),
        ({"billing_cycle_start_offset": -1}, "1.billing_cycle_start_offset"),
        ({"billing_cycle_duration": 0}, "1.billing_cycle_duration"),
    ],
)
def test_what_is_wrong_is_named_and_none_is_kept(api: Api, subscription, change, field) -> None:
    assert list(refusal(api.post(HERE, [TEN_PERCENT, {**TEN_PERCENT, **change}]), 422)) == [field]
    assert not Discount.objects.exists()


def test_a_refused_discount_makes_no_subscription(api: Api, plan) -> None:
    body = {"price_plan_name": "pro", "discounts": [{**TEN_PERCENT, "amount": 101}]}
    assert list(refusal(api.post("/customers/acme/subscriptions", body), 422)) == ["discounts.0.amount"]
    assert not Subscription.objects.exists()


def test_a_discount_is_only_shortened(api: Api, vendor, subscription) -> None:
    answer(api.post(HERE, [{**TEN_PERCENT, "billing_cycle_duration": 3}, TEN_PERCENT]))
    three, for_good = [row["external_uuid"] for row in shown(api)]
    refusal(api.delete(HERE, {"discount_uuid": three, "billing_cycle_duration": 4}), 409)
    answer(api.delete(HERE, {"discount_uuid": for_good}))  # it began in this very cycle
    assert [row["external_uuid"] for row in shown(api)] == [three]
    vendor.clock_offset += timedelta(days=31)
    vendor.save()
    answer(api.delete(HERE, {"discount_uuid": three}))
    assert [row["end_date"] for row in shown(api)] == ["2026-04-01T00:00:00Z"]
    assert bill_all(JUNE) == [9_000, 10_000, 10_000]


def test_a_free_month_is_an_invoice_of_nothing_that_can_be_printed(api: Api, subscription) -> None:
    answer(api.post(HERE, [{"discount_type": "PERCENT", "amount": 100}]))
    assert bill_all(APRIL) == [0]
    invoice = Invoice.objects.select_related("vendor", "customer").get()
    assert (invoice.sub_total, invoice.tax_amount) == (0, 0)
    assert pdf_of(invoice).startswith(b"%PDF-")


def test_no_subscription_no_discount(api: Api, stranger: Api) -> None:
    refusal(api.post(HERE, [TEN_PERCENT]), 404)
    refusal(stranger.post(HERE, [TEN_PERCENT]), 404)
