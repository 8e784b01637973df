"""Coupons: who may use them, when and how often, and which invoices they lower."""

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from tests.api.client import Api, answer, refusal
from tests.billing import bill_until
from tests.factories import CustomerFactory, PricePlanFactory

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
SPRING = {"name": "spring", "display_name": "Spring sale", "code": "SPRING26", "frequency": "ONCE"}
TENTH = {"discount_type": "PERCENT", "discount_amount": 10}
MARCH = "2026-03-01T00:00:00Z"


@pytest.fixture(autouse=True)
def people(api: Api, vendor):
    """Acme and Globex, both on a plan of $100 since the first of March; it is the fifth."""
    vendor.clock_offset = NOW - timezone.now()
    vendor.save()
    PricePlanFactory(vendor=vendor, name="pro", display_name="Pro", base_price=10_000)
    for name in ("acme", "globex"):
        CustomerFactory(vendor=vendor, name=name, currency="USD")
        answer(api.post(f"/customers/{name}/subscriptions", {"price_plan_name": "pro", "effective_at": MARCH}))


def make(api: Api, **changes):
    return answer(api.post("/coupons", {**SPRING, **TENTH, **changes}))


def use(api: Api, customer="acme", **coupon):
    return api.post("/coupons/apply_coupon", {"customer_name": customer, **(coupon or {"name": "spring"})})


def test_once_lowers_the_running_cycles_invoice(api: Api) -> None:
    made = make(api, max_uses=5)
    assert (made["used"], made["max_uses"], made["discount_amount"], made["excluded_customers"]) == (0, 5, 10, [])
    assert answer(use(api, code="SPRING26")) == {}
    [discount] = answer(api.get("/customers/acme/active_subscription"))["discounts"]
    assert (discount["coupon_name"], discount["billing_cycle_duration"]) == ("spring", 1)
    invoices = [one for one in bill_until(datetime(2026, 5, 2, tzinfo=UTC)) if one.customer.name == "acme"]
    assert [invoice.amount_due for invoice in invoices] == [9_000, 10_000]
    line = invoices[0].line_items.get(kind="DISCOUNT")
    assert (line.description, line.amount) == ("10% of $100.00, coupon Spring sale", -1_000)
    assert answer(api.get("/coupons/spring"))["used"] == 1


@pytest.mark.parametrize(
    ("length", "unit", "cycles"),
    [(1, "day", 1), (26, "day", 1), (27, "day", 2), (4, "week", 2), (3, "month", 4), (1, "year", 13), (1, "hour", 1)],
)
def test_recurring_lowers_what_begins_before_its_time_is_over(api: Api, length, unit, cycles) -> None:
    """The running cycle and those that begin before: 26 days after noon of 5 March it is 31 March."""
    make(api, frequency="RECURRING", duration_length=length, duration_unit=unit)
    answer(use(api))
    [discount] = answer(api.get("/customers/acme/active_subscription"))["discounts"]
    assert discount["billing_cycle_duration"] == cycles


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"expiration_time": "2026-03-05T11:00:00Z"}, "expired"),
        ({"excluded_customers": ["acme"]}, "not for acme"),
        ({"excluded_price_plans": ["pro"]}, "not for the price plan 'pro'"),
    ],
)
def test_what_a_coupon_is_not_for(api: Api, limits, reason) -> None:
    make(api, **limits)
    assert reason in answer(use(api), 409)["message"]
    assert answer(api.get("/customers/acme/active_subscription"))["discounts"] == []


def test_each_customer_once_and_only_so_many(api: Api) -> None:
    make(api, max_uses=1)
    answer(use(api))
    assert "used it already" in answer(use(api), 409)["message"]
    assert "as often as it may be" in answer(use(api, "globex"), 409)["message"]


def test_an_amount_is_in_the_vendors_currency(api: Api, vendor) -> None:
    PricePlanFactory(vendor=vendor, name="euro", currency="EUR")
    CustomerFactory(vendor=vendor, name="umbrella")
    make(api, discount_type="FLAT", discount_amount=500)
    answer(api.post("/customers/umbrella/subscriptions", {"price_plan_name": "euro"}))
    assert "billed in EUR" in answer(use(api, "umbrella"), 409)["message"]


def test_while_subscribing_it_is_all_or_nothing(api: Api, vendor) -> None:
    make(api, excluded_customers=["initech"])
    for name in ("hooli", "initech"):
        CustomerFactory(vendor=vendor, name=name, currency="USD")
    subscribing = {"price_plan_name": "pro", "coupon_override_name": "spring"}
    made = answer(api.post("/customers/hooli/subscriptions", subscribing))
    assert made["discounts"][0]["coupon_name"] == "spring"
    answer(api.post("/customers/initech/subscriptions", subscribing), 409)
    assert answer(api.get("/customers/initech/subscriptions")) == []
    wrong = {**subscribing, "coupon_override_name": "winter"}
    assert "coupon_override_name" in refusal(api.post("/customers/initech/subscriptions", wrong), 422)


def test_withdrawn_it_lowers_what_it_lowered_and_nobody_else(api: Api, stranger: Api) -> None:
    make(api)
    answer(use(api))
    refusal(stranger.delete("/coupons/spring"), 404)
    answer(api.delete("/coupons/spring"))
    assert answer(api.get("/coupons")) == []
    refusal(use(api, "globex"), 404)
    assert len(answer(api.get("/customers/acme/active_subscription"))["discounts"]) == 1
    assert make(api)["used"] == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"discount_amount": 101}, "discount_amount"),
        ({"discount_type": "FLAT", "discount_amount": 0.5}, "discount_amount"),
        ({"frequency": "RECURRING"}, "duration_length"),
        ({"duration_length": 3, "duration_unit": "month"}, "duration_length"),
        ({"frequency": "ALWAYS"}, "frequency"),
        ({"max_uses": 0}, "max_uses"),
        ({"name": "apply_coupon"}, "name"),
        ({"name": "other"}, "code"),
        ({"code": "OTHER"}, "name"),
    ],
)
def test_what_is_wrong_is_named(api: Api, changes, field) -> None:
    make(api)
    assert field in refusal(api.post("/coupons", {**SPRING, **TENTH, **changes}), 422)
