"""What a customer used and owes, hour by hour and day by day."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from customers.actors import SCHEDULE
from invoicing.invoices.accrual import accrued
from invoicing.invoices.preview import preview
from invoicing.models import BillingCycle
from invoicing.subscriptions.verbs import subscribe
from tests.api.client import Api, answer, refusal
from tests.factories import (
    CustomerFactory,
    InvoiceFactory,
    MeasurementFactory,
    MeteredComponentFactory,
    MeterFactory,
    PricePlanFactory,
)

HERE = "/customers/acme"
NOW = datetime(2026, 3, 5, 12, 30, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def customer(vendor):
    vendor.clock_offset = NOW - timezone.now()
    vendor.save()
    return CustomerFactory(vendor=vendor, name="acme", currency="USD")


@pytest.fixture
def calls(vendor):
    return MeterFactory(vendor=vendor, name="calls", display_name="Calls", unit_name="call", primary_labels=["region"])


@pytest.fixture
def subscription(vendor, customer, calls):
    """$99 a month and 7 cents a call; 10 calls on 1 March, 20 on the 3rd, 5 this morning."""
    plan = PricePlanFactory(vendor=vendor, name="pro", display_name="Pro", base_price=9900)
    MeteredComponentFactory(price_plan=plan, meter=calls, display_name="API calls", price_scheme__price=Decimal(7))
    for day, hour, value, region in ((1, 9, 10, "eu"), (3, 0, 12, "eu"), (3, 23, 8, "us"), (5, 12, 5, "us")):
        MeasurementFactory(
            customer=customer,
            meter=calls,
            time=MARCH + timedelta(days=day - 1, hours=hour),
            value=value,
            labels={"region": region},
            stream=region,
        )
    return subscribe(customer, plan, effective_at=MARCH, actor=SCHEDULE, now=NOW, real_now=NOW)


def test_usage_by_day_and_by_label(api: Api, subscription) -> None:
    asked = {"meter_name": "calls", "start_time": "2026-03-01T00:00:00Z"}
    body = answer(api.post(f"{HERE}/usage_by_time", asked))
    assert (body["meter_display_name"], body["unit_name"], body["total_usage"]) == ("Calls", "call", 35)
    assert [(row["time"], row["usage"], row["labels"]) for row in body["usage_by_time"]] == [
        ("2026-03-01T00:00:00Z", 10, {}),
        ("2026-03-03T00:00:00Z", 20, {}),
        ("2026-03-05T00:00:00Z", 5, {}),
    ]
    split = answer(api.post(f"{HERE}/usage_by_time", {**asked, "label_group_by_keys": ["region"]}))
    assert [(row["labels"]["region"], row["usage"]) for row in split["usage_by_time"]] == [
        ("eu", 10),
        ("eu", 12),
        ("us", 8),
        ("us", 5),
    ]
    one = {**asked, "label_filters": [{"key": "region", "value": "us"}], "aggregate": "MAX", "time_bucket": "hour"}
    hours = answer(api.post(f"{HERE}/usage_by_time/", one))
    assert [(row["time"], row["usage"]) for row in hours["usage_by_time"]] == [
        ("2026-03-03T23:00:00Z", 8),
        ("2026-03-05T12:00:00Z", 5),
    ]
    assert hours["total_usage"] == 8
    latest = answer(api.post(f"{HERE}/usage_by_time", {**asked, "aggregate": "LATEST"}))
    assert latest["total_usage"] == 12 + 5


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"start_time": "2026-03-01T00:00:00Z"}, "meter_name"),
        ({"meter_name": "calls"}, "start_time"),
        ({"meter_name": "calls", "start_time": "2027-01-01T00:00:00Z"}, "start_time"),
        ({"meter_name": "calls", "start_time": "2020-01-01T00:00:00Z"}, "start_time"),
        ({"meter_name": "calls", "start_time": "2026-03-01", "time_bucket": "week"}, "time_bucket"),
        ({"meter_name": "calls", "start_time": "2026-03-01", "aggregate": "TIME_WEIGHTED_SUM"}, "aggregate"),
        ({"meter_name": "calls", "start_time": "2026-03-01", "label_filters": [{"key": "x"}]}, "label_filters.0.value"),
    ],
)
def test_what_is_wrong_with_a_question_is_named(api: Api, calls, body, field) -> None:
    assert field in refusal(api.post(f"{HERE}/usage_by_time", body), 422)


def test_what_the_running_cycle_has_come_to(api: Api, subscription) -> None:
    body = answer(api.get(f"{HERE}/total_accrued_revenue"))
    assert (body["start_time"], body["total_accrued_revenue"]) == ("2026-03-01T00:00:00Z", 9900 + 35 * 7)
    base, calls = body["line_items"]
    assert (base["item_type"], base["item_identifier"], base["item_display_name"], base["revenue"]) == (
        "BASE_PRICE",
        "pro",
        "Pro",
        9900,
    )
    component = subscription.price_plan.metered_components.get()
    assert calls == {
        "item_type": "METERED_COMPONENT",
        "item_id": str(component.external_uuid),
        "item_identifier": "calls",
        "item_display_name": "API calls",
        "usage": 35,
        "usage_unit_name": "call",
        "revenue": 245,
        "metadata": {},
    }
    older = answer(api.get(f"{HERE}/accrued_revenue/"))
    assert older["total_revenue"] == 10145
    assert [(line["name"], line["price"], line["price_int"]) for line in older["line_items"]] == [
        ("Pro", "$99.00", 9900),
        ("API calls", "$2.45", 245),
    ]


def test_day_by_day_it_adds_up(api: Api, subscription) -> None:
    days = answer(api.get(f"{HERE}/daily_accrued_revenue"))
    assert [day["total_accrued_revenue"] for day in days] == [9_970, 0, 140, 0, 35]
    assert [day["date"] for day in days][:2] == ["2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"]
    assert [line["usage"] for line in days[2]["line_items"]] == [0, 20]


def test_spend_goes_across_cycles_and_starts_where_it_is_asked(api: Api, vendor, customer, calls) -> None:
    plan = PricePlanFactory(vendor=vendor, base_price=3000)
    subscribe(customer, plan, effective_at=datetime(2026, 2, 4, tzinfo=UTC), actor=SCHEDULE, now=NOW, real_now=NOW)
    cycle = BillingCycle.objects.get()
    cycle.pk, cycle.index, cycle.start = None, 1, cycle.end
    cycle.end += timedelta(days=31)
    cycle.save()
    body = answer(api.post(f"{HERE}/spend_by_time", {"start_time": "2026-02-03T00:00:00Z"}))
    assert {row["start_time"]: row["total_spend"] for row in body if row["total_spend"]} == {
        "2026-02-04T00:00:00Z": 3000,
        "2026-03-04T00:00:00Z": 3000,
    }
    hours = answer(api.post(f"{HERE}/spend_by_time", {"start_time": "2026-03-05T10:15:00Z", "time_bucket": "hour"}))
    assert [row["total_spend"] for row in hours] == [0, 0, 0]


def test_revenue_is_what_was_invoiced(api: Api, customer) -> None:
    InvoiceFactory(customer=customer, sub_total=1000)
    InvoiceFactory(customer=customer, sub_total=500, status="INVOICE_VOIDED")
    InvoiceFactory(customer=customer, sub_total=70, period_end=datetime(2026, 3, 1, tzinfo=UTC))
    assert answer(api.get(f"{HERE}/revenue")) == {"revenue": 1070}
    january = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-02-01T00:00:00Z"}
    assert answer(api.get(f"{HERE}/revenue", january)) == {"revenue": 1000}


def test_without_a_running_cycle_there_is_nothing_to_tell(api: Api) -> None:
    for path in ("accrued_revenue", "total_accrued_revenue", "daily_accrued_revenue"):
        refusal(api.get(f"{HERE}/{path}"), 404)


def test_a_preview_is_the_invoice_if_nothing_more_were_used(subscription, customer) -> None:
    found = preview(subscription, now=NOW)
    assert [(line.name, line.amount) for line in found.lines] == [("Pro", 9900), ("API calls", 245)]
    assert (found.sub_total, found.tax_amount, found.amount_due) == (10145, 0, 10145)
    assert (found.period_end, found.generated_at, found.issued_at) == (datetime(2026, 4, 1, tzinfo=UTC),) * 3


def test_queries_do_not_grow_with_time_or_components(
    subscription, customer, vendor, django_assert_max_num_queries
) -> None:
    for _ in range(3):
        MeteredComponentFactory(price_plan=subscription.price_plan)
    hours = [MARCH + timedelta(hours=hour) for hour in range(100)]
    with django_assert_max_num_queries(8):
        assert sum(bucket.total for bucket in accrued(customer, hours)) == 9900 + 30 * 7
    with django_assert_max_num_queries(11):
        preview(subscription, now=NOW)
