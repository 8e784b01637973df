"""One-off charges: on the invoice of their billing cycle, once."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from customers.actors import SCHEDULE
from invoicing.invoices.accrual import accrued
from invoicing.invoices.generation import generate_due
from invoicing.invoices.lifecycle import delete
from invoicing.invoices.preview import preview
from invoicing.models import AdhocCharge, BillingCycle, Invoice
from invoicing.subscriptions.advance import end_due_cycles
from invoicing.subscriptions.verbs import end_subscription, subscribe
from tests.api.client import Api, answer, refusal
from tests.factories import CustomerFactory, PricePlanFactory

HERE = "/customers/acme/adhoc_charges"
NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
APRIL, MAY = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
SETUP = {"charge_time": "2026-03-10T00:00:00Z", "item_name": "setup", "quantity": 3, "total_price": 3000}


@pytest.fixture(autouse=True)
def customer(vendor):
    vendor.clock_offset = NOW - timezone.now()
    vendor.save()
    return CustomerFactory(vendor=vendor, name="acme", currency="USD")


@pytest.fixture
def subscription(customer, vendor):
    plan = PricePlanFactory(vendor=vendor, display_name="Pro", base_price=1000, minimum_charge=2000)
    start = datetime(2026, 3, 1, tzinfo=UTC)
    return subscribe(customer, plan, effective_at=start, actor=SCHEDULE, now=NOW, real_now=NOW)


def bill(at):
    """Every cycle that has ended by then."""
    end_due_cycles(BillingCycle.objects.filter(next_action_at__lte=at), limit=10, real_now=at)
    generate_due(BillingCycle.objects.filter(next_action_at__lte=at), limit=10, real_now=at)
    return Invoice.objects.order_by("-pk").first()


def lines(invoice):
    return [(line.kind, line.name, line.amount) for line in invoice.line_items.all()]


def test_a_charge_is_kept_and_shown(api: Api, subscription) -> None:
    made = answer(api.post(HERE, {**SETUP, "item_display_name": "Set-up", "item_description": "Three seats"}))
    assert made == {
        **SETUP,
        "uuid": made["uuid"],
        "item_display_name": "Set-up",
        "item_description": "Three seats",
        "charged": "false",
    }
    later = answer(api.post(f"{HERE}/", {**SETUP, "charge_time": "2026-03-11T00:00:00Z"}))
    assert answer(api.get(HERE)) == [later, made]
    assert answer(api.get(f"{HERE}/{made['uuid']}")) == made
    assert answer(api.delete(f"{HERE}/{made['uuid']}")) == {}
    refusal(api.get(f"{HERE}/{made['uuid']}"), 404)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"quantity": 0}, "quantity"),
        ({"total_price": -1}, "total_price"),
        ({"total_price": 1.5}, "total_price"),
        ({"item_name": ""}, "item_name"),
        ({"charge_time": None}, "charge_time"),
        ({"charge_time": "2026-02-28T00:00:00Z"}, "charge_time"),
        ({"price": 1}, "price"),
    ],
)
def test_what_is_wrong_is_named(api: Api, subscription, change, field) -> None:
    assert list(refusal(api.post(HERE, {**SETUP, **change}), 422)) == [field]
    assert not AdhocCharge.objects.exists()


def test_it_is_on_the_invoice_of_its_cycle_once(api: Api, subscription) -> None:
    """$10 with a minimum of $20, and $30 by hand: the charge counts towards no minimum."""
    made = answer(api.post(HERE, SETUP))
    answer(api.post(HERE, {**SETUP, "charge_time": "2026-04-10T00:00:00Z", "total_price": 700}))
    invoice = bill(APRIL)
    assert lines(invoice) == [
        ("BASE_PRICE", "Pro", 1000),
        ("MINIMUM_CHARGE", "Pro Minimum Charge", 1000),
        ("ADHOC_CHARGE", "setup", 3000),
    ]
    line = invoice.line_items.get(kind="ADHOC_CHARGE")
    assert (line.quantity, line.unit_price, line.adhoc_charge.total_price) == (3, Decimal(1000), 3000)
    assert (invoice.sub_total, invoice.amount_due) == (5000, 5000)
    assert answer(api.get(f"{HERE}/{made['uuid']}"))["charged"] == "true"
    refusal(api.delete(f"{HERE}/{made['uuid']}"), 409)
    assert list(refusal(api.post(HERE, SETUP), 422)) == ["charge_time"]
    assert [amount for _, _, amount in lines(bill(MAY))] == [1000, 1000, 700]


def test_a_deleted_invoice_gives_its_charges_to_the_next_one(api: Api, subscription) -> None:
    made = answer(api.post(HERE, SETUP))
    delete(bill(APRIL), actor=SCHEDULE, now=APRIL, real_now=APRIL)
    assert answer(api.get(f"{HERE}/{made['uuid']}"))["charged"] == "false"
    assert lines(bill(MAY))[-1] == ("ADHOC_CHARGE", "setup", 3000)


def test_a_charge_waits_for_its_own_cycle_and_is_not_lost_when_that_is_cut(api: Api, customer, subscription) -> None:
    answer(api.post(HERE, {**SETUP, "charge_time": "2026-03-20T00:00:00Z"}))
    end_subscription(customer, expire_at=datetime(2026, 3, 15, tzinfo=UTC), actor=SCHEDULE, now=NOW, real_now=NOW)
    assert [kind for kind, _, _ in lines(bill(APRIL))] == ["BASE_PRICE", "MINIMUM_CHARGE"]
    plan = PricePlanFactory(vendor=customer.vendor, base_price=0)
    again = subscribe(customer, plan, effective_at=APRIL, actor=SCHEDULE, now=NOW, real_now=NOW)
    found = preview(again, now=APRIL + timedelta(days=1))
    assert [line.amount for line in found.lines] == [3000]
    assert lines(bill(MAY)) == [("ADHOC_CHARGE", "setup", 3000)]


def test_an_ended_cycle_keeps_its_charge_from_the_running_one(api: Api, subscription) -> None:
    answer(api.post(HERE, SETUP))
    end_due_cycles(BillingCycle.objects.all(), limit=1, real_now=APRIL)
    assert [line.amount for line in preview(subscription, now=APRIL + timedelta(days=1)).lines] == [1000, 1000]


def test_accrued_revenue_counts_it_in_its_day(api: Api, customer, subscription) -> None:
    answer(api.post(HERE, SETUP))
    days = [datetime(2026, 3, day, tzinfo=UTC) for day in (9, 10, 11)]
    assert [bucket.total for bucket in accrued(customer, days)] == [0, 3000]


def test_strangers_see_nothing(api: Api, stranger: Api, subscription) -> None:
    made = answer(api.post(HERE, SETUP))
    refusal(stranger.get(HERE), 404)
    refusal(stranger.delete(f"{HERE}/{made['uuid']}"), 404)
    assert AdhocCharge.objects.exists()
