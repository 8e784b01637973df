"""Prices by label: the worked example of docs/rating.md, from measurements to lines."""

import json
from datetime import UTC, datetime

import pytest
from django.utils import timezone

from tests.api.client import Api, answer, refusal
from tests.api.conftest import api, vendor  # noqa: F401 - fixtures
from tests.billing import bill_until
from tests.factories import CustomerFactory

ROWS = [
    {"region": "eu", "prices": [{"price": 9}]},
    {"region": "eu", "tier": "ssd", "prices": [{"price": 20, "cap": 100}, {"price": 15}]},
    {"region": "us", "prices": [{"price": 7.5}]},
]
CSV = """region,tier,prices
eu,,price=9
eu,ssd,"[{""price"": 20, ""cap"": 100}, {""price"": 15}]"
us,,price=7.5
"""
GRADED = json.dumps([{"price": 50, "cap": 100}, {"price": 40, "cap": 200}, {"price": 30}]).replace('"', '""')
STEPS = json.dumps([{"price": 5000, "cap": 100}, {"price": 9000, "cap": 200}, {"price": 15000, "cap": 1000}]).replace(
    '"', '""'
)
USED = ((40, "eu", "hdd"), (60, "eu", "hdd"), (150, "eu", "ssd"), (3, "us", "hdd"), (5, "mars", "hdd"))
AT = "metered_components.0.price_scheme.price_list"


@pytest.fixture(autouse=True)
def acme(api: Api, vendor):  # noqa: F811
    vendor.clock_offset = datetime(2026, 4, 20, tzinfo=UTC) - timezone.now()
    vendor.save()
    CustomerFactory(vendor=vendor, name="acme", currency="USD")
    answer(api.post("/meters", {"name": "traffic", "unit_name": "GB", "primary_labels": ["region", "tier"]}))
    for hour, (value, region, tier) in enumerate(USED):
        one = {"meter_name": "traffic", "customer_name": "acme", "value": value, "time": f"2026-04-03T{hour:02}:00:00Z"}
        answer(api.post("/measurements", {**one, "labels": {"region": region, "tier": tier}}))


def plan(rows, **others):
    scheme = {"scheme_type": "TIERED", "price_list": rows, **others.pop("scheme", {})}
    return {"name": "net", "metered_components": [{"meter_name": "traffic", "price_scheme": scheme, **others}]}


def billed(api: Api, rows, **others):  # noqa: F811
    made = answer(api.post("/price_plans", plan(rows, **others)))
    subscribing = {"price_plan_name": "net", "effective_at": "2026-04-01T00:00:00Z"}
    answer(api.post("/customers/acme/subscriptions", subscribing))
    [invoice] = bill_until(datetime(2026, 5, 2, tzinfo=UTC))
    lines = [(line.name, line.description, line.amount) for line in invoice.line_items.all()]
    assert invoice.sub_total == sum(amount for _, _, amount in lines)
    return made, lines, invoice


LINES = [
    ("traffic (eu, hdd)", "100 GB x $0.09", 900),
    ("traffic (eu, ssd)", "100 GB x $0.20 + 50 GB x $0.15", 2_750),
    ("traffic (mars, hdd)", "5 GB: not in the price list", 0),
    ("traffic (us, hdd)", "3 GB x $0.075", 23),
]


@pytest.mark.parametrize("rows", [ROWS, CSV], ids=["json", "csv"])
def test_one_line_for_each_combination_of_labels(api: Api, rows) -> None:  # noqa: F811
    made, lines, invoice = billed(api, rows)
    assert lines == LINES
    assert made["metered_components"][0]["price_scheme"]["price_list"] == ROWS
    line = invoice.line_items.get(name="traffic (eu, hdd)")
    found = answer(api.get(f"/invoices/{invoice.uuid}/line_items/{line.uuid}/explanation"))
    assert found["line_item"]["metadata"]["labels"] == {"region": "eu", "tier": "hdd"}
    assert found["explained"]["usage"]["measurements"] == 2


def test_what_no_row_fits_costs_what_the_scheme_says(api: Api) -> None:  # noqa: F811
    _, lines, _ = billed(api, ROWS, scheme={"prices": [{"price": 100}]}, minimum_charge=5_000)
    assert lines[2] == ("traffic (mars, hdd)", "5 GB x $1.00", 500)
    assert lines[4] == ("traffic Minimum Charge", "Minimum of $50.00", 5_000 - 900 - 2_750 - 500 - 23)


@pytest.mark.parametrize(
    ("scheme_type", "cell", "description", "amount"),
    [
        ("FLAT", "price=900", "250 GB x $9.00", 225_000),
        ("TIERED", GRADED, "100 GB x $0.50 + 100 GB x $0.40 + 50 GB x $0.30", 10_500),
        ("VOLUME", GRADED, "250 GB x $0.30", 7_500),
        ("STAIRSTEP", STEPS, "250 GB: up to 1,000 GB $150.00", 15_000),
    ],
)
def test_a_list_for_each_scheme(api: Api, scheme_type, cell, description, amount) -> None:  # noqa: F811
    rows = f'region,prices\neu,"{cell}"\n'
    _, lines, _ = billed(api, rows, scheme={"scheme_type": scheme_type})
    assert lines[0] == ("traffic (eu)", description, amount)


def test_only_the_labels_that_the_list_goes_by_make_lines(api: Api) -> None:  # noqa: F811
    _, lines, _ = billed(api, [ROWS[0], ROWS[2]])
    assert [(name, amount) for name, _, amount in lines] == [
        ("traffic (eu)", 2_250),
        ("traffic (mars)", 0),
        ("traffic (us)", 23),
    ]


def test_it_is_kept_in_the_next_version_and_accrues(api: Api) -> None:  # noqa: F811
    made, _, _ = billed(api, ROWS)
    changed = answer(api.put("/price_plans/net", {"base_price": 100}))
    assert changed["metered_components"][0]["price_scheme"]["price_list"] == ROWS
    april = {"start_time": "2026-04-01T00:00:00Z", "time_bucket": "day"}
    days = answer(api.post("/customers/acme/spend_by_time", april))
    assert sum(day["total_spend"] for day in days) == sum(amount for _, _, amount in LINES)


@pytest.mark.parametrize(
    ("rows", "field", "said"),
    [
        ([{"regoin": "eu", "prices": [{"price": 1}]}], f"{AT}.0.regoin", "region, tier"),
        ([{"region": "eu"}], f"{AT}.0.prices", "Give a list of prices"),
        ([{"region": 7, "prices": [{"price": 1}]}], f"{AT}.0.region", "text"),
        ([{"region": "eu", "prices": [{"price": "many"}]}], f"{AT}.0.prices.0.price", "not a number"),
        ([ROWS[0], ROWS[0]], f"{AT}.1", "each combination once"),
        ("region,tier\neu,ssd", AT, "'prices'"),
        ("region,prices\neu,9", f"{AT}.0.prices", "price=900"),
        ("region,prices\neu,price=9,7", f"{AT}.0", "columns"),
        ({"region": "eu"}, AT, "a list of rows"),
    ],
)
def test_what_is_wrong_is_named_by_its_row(api: Api, rows, field, said) -> None:  # noqa: F811
    assert said in json.dumps(refusal(api.post("/price_plans", plan(rows)), 422)[field])


def test_a_meter_without_labels_has_no_price_list(api: Api) -> None:  # noqa: F811
    answer(api.post("/meters", {"name": "plain"}))
    given = plan(ROWS)
    given["metered_components"][0]["meter_name"] = "plain"
    assert "none" in refusal(api.post("/price_plans", given), 422)[AT][0]


def test_a_discount_of_certain_labels_comes_before_that_of_the_component(api: Api) -> None:  # noqa: F811
    made = answer(api.post("/price_plans", plan(ROWS)))
    of_it = {"scope": "METERED_COMPONENT", "metered_component_uuid": made["metered_components"][0]["external_uuid"]}
    tenth, half = ({**of_it, "discount_type": "PERCENT", "amount": amount} for amount in (10, 50))
    ssd = {"region": "eu", "tier": "ssd"}
    subscribing = {"price_plan_name": "net", "effective_at": "2026-04-01T00:00:00Z"}
    for labels in ({"region": "eu"}, {**ssd, "zone": "a"}):
        wrong = {**subscribing, "discounts": [{**half, "labels": labels}]}
        problem = refusal(api.post("/customers/acme/subscriptions", wrong), 422)
        assert problem == {"discounts.0.labels": ["Give a text for each label of the price list: region, tier."]}
    discounts = [tenth, {**half, "labels": ssd}]
    shown = answer(api.post("/customers/acme/subscriptions", {**subscribing, "discounts": discounts}))["discounts"]
    assert [one["labels"] for one in shown] == [{}, ssd]
    [invoice] = bill_until(datetime(2026, 5, 2, tzinfo=UTC))
    assert [(line.name, line.amount) for line in invoice.line_items.filter(kind="DISCOUNT")] == [
        ("traffic (eu, ssd) Discount", -1_375),
        ("traffic Discount", -230),
    ]
    for name, lowered_by in (("traffic (eu, hdd)", -230), ("traffic (eu, ssd)", -1_375 - 230)):
        line = invoice.line_items.get(name=name)
        found = answer(api.get(f"/invoices/{invoice.uuid}/line_items/{line.uuid}/explanation"))
        assert sum(one["price_int"] for one in found["affected_by"]) == lowered_by
