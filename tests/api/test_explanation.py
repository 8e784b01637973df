"""From a line of an invoice to the tiers, the days of usage and the discounts behind it."""

from datetime import UTC, datetime
from fractions import Fraction

import pytest
from django.utils import timezone

from customers.models import BillingSettings
from tests.api.client import Api, answer, refusal
from tests.billing import bill_until
from tests.factories import CustomerFactory

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
LADDER = {"scheme_type": "TIERED", "prices": [{"price": 50, "cap": 100}, {"price": 40, "cap": 200}, {"price": 30}]}
CALLS = {"meter_name": "calls", "display_name": "API calls", "price_scheme": LADDER, "minimum_charge": 20_000}
PLAN = {"name": "pro", "display_name": "Pro", "base_price": 9_900, "metered_components": [CALLS]}


@pytest.fixture(autouse=True)
def acme(api: Api, vendor):
    vendor.clock_offset = NOW - timezone.now()
    vendor.time_zone = "America/New_York"
    vendor.save()
    CustomerFactory(vendor=vendor, name="acme", currency="USD")
    api.post("/meters", {"name": "calls", "unit_name": "calls"})
    for day, hour, value in ((10, 20, 100), (11, 3, 20), (11, 5, 30), (12, 5, 100)):
        time = f"2026-03-{day}T{hour:02}:00:00Z"
        api.post("/measurements", {"meter_name": "calls", "customer_name": "acme", "value": value, "time": time})


def billed(api: Api, **changes):
    """The lines of the first invoice, each with its explanation."""
    answer(api.post("/price_plans", PLAN | changes))
    subscribing = {"price_plan_name": "pro", "effective_at": "2026-03-01T05:00:00Z"}
    discount = {"discount_type": "PERCENT", "amount": 10}
    answer(api.post("/customers/acme/subscriptions", subscribing | {"discounts": [discount]}))
    [invoice] = bill_until(datetime(2026, 4, 2, tzinfo=UTC))
    lines = answer(api.get(f"/invoices/{invoice.uuid}"))["line_items"]
    found = [answer(api.get(f"/invoices/{invoice.uuid}/line_items/{line['id']}/explanation")) for line in lines]
    assert [one["line_item"] for one in found] == lines
    return found


def names(lines):
    return [line["name"] for line in lines]


def test_a_line_explains_its_tiers_and_the_days_behind_it(api: Api) -> None:
    base, calls, minimum, discount = billed(api)
    assert base["price_plan"] | {"external_uuid": ""} == {"name": "pro", "version": 1, "external_uuid": ""}
    assert names(base["affected_by"]) == ["Invoice Total Discount"]
    explained = calls["explained"]
    shown = ("above", "cap", "quantity", "price", "amount")
    assert [tuple(tier[field] for field in shown) for tier in explained["tiers"]] == [
        (0, 100, 100, "50", "5000"),
        (100, 200, 100, "40", "4000"),
        (200, None, 50, "30", "1500"),
    ]  # fmt: skip
    usage = explained["usage"]
    # Days of New York: the 11th at 03:00 UTC is still the evening of the 10th there.
    assert [(day["day"], day["usage"], day["measurements"]) for day in usage["by_day"]] == [
        ("2026-03-10", 120, 2),
        ("2026-03-11", 30, 1),
        ("2026-03-12", 100, 1),
    ]
    assert sum(day["usage"] for day in usage["by_day"]) == usage["usage"] == explained["quantity"] == 250
    assert (usage["first_measurement"], usage["last_measurement"]) == ("2026-03-10T20:00:00Z", "2026-03-12T05:00:00Z")
    assert names(calls["affected_by"]) == ["API calls Minimum Charge", "Invoice Total Discount"]
    assert minimum["minimum"] == {"minimum": 20_000, "reached": 10_500, "earlier": 0, "replaces": []}
    assert discount["discount_applies_to"] == 9_900 + 20_000


def test_it_is_the_usage_that_was_rated_and_no_other(api: Api) -> None:
    """Later measurements, and a new price, change nothing about an invoice that is there."""
    before = billed(api)
    late = {"meter_name": "calls", "customer_name": "acme", "value": 7, "time": "2026-03-11T12:00:00Z"}
    answer(api.post("/measurements", late))
    answer(api.put("/price_plans/pro", {"base_price": 1}))
    for one in before:
        address = f"/invoices/{answer(api.get('/invoices'))['invoices'][0]['id']}/line_items/{one['line_item']['id']}"
        assert answer(api.get(f"{address}/explanation")) == one


def test_lines_that_a_minimum_replaces_are_still_explained(api: Api, vendor) -> None:
    BillingSettings.objects.create(vendor=vendor, should_minimum_charge_override_line_items=True, updated_at=NOW)
    _, minimum, _ = billed(api)
    [calls] = minimum["minimum"]["replaces"]
    assert (calls["name"], calls["price_int"], calls["quantity"]) == ("API calls", 10_500, 250)
    assert [day["usage"] for day in calls["usage"]["by_day"]] == [120, 30, 100]
    assert [tier["amount"] for tier in calls["tiers"]] == ["5000", "4000", "1500"]


def test_a_shorter_cycle_says_its_share(api: Api) -> None:
    answer(api.post("/price_plans", PLAN | {"metered_components": []}))
    subscribing = {"price_plan_name": "pro", "effective_at": "2026-03-16T16:00:00Z", "align_to_calendar": True}
    answer(api.post("/customers/acme/subscriptions", subscribing))
    [invoice] = bill_until(datetime(2026, 4, 2, tzinfo=UTC))
    [line] = answer(api.get(f"/invoices/{invoice.uuid}"))["line_items"]
    found = answer(api.get(f"/invoices/{invoice.uuid}/line_items/{line['id']}/explanation"))["explained"]
    # 15.5 of 30 days and 23 hours: the clocks went forward on the 8th.
    assert found["proration"] == {"share": str(Fraction(372, 743)), "whole": 9_900}
    assert (found["exact_amount"], found["price_int"]) == (str(Fraction(372 * 9_900, 743)), 4_957)


def test_fractions_of_a_cent_are_shown_before_rounding(api: Api) -> None:
    scheme = {"scheme_type": "FLAT", "prices": [{"price": 0.35}], "batch_size": 3}
    _, calls, _ = billed(api, metered_components=[{"meter_name": "calls", "price_scheme": scheme}])
    assert (calls["explained"]["exact_amount"], calls["explained"]["price_int"]) == (str(Fraction(350, 12)), 29)


def test_what_is_not_there_is_not_found(api: Api, stranger: Api) -> None:
    [first, *_] = billed(api)
    [invoice] = answer(api.get("/invoices"))["invoices"]
    address = f"/invoices/{invoice['id']}/line_items/{first['line_item']['id']}/explanation"
    assert answer(api.get(address)) == first
    refusal(stranger.get(address), 404)
    refusal(api.get(f"/invoices/{invoice['id']}/line_items/{invoice['id']}/explanation"), 404)
    refusal(api.get(f"/invoices/{invoice['id']}/line_items/nonsense/explanation"), 404)
