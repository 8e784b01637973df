"""Every list: its queries do not grow with its rows, its pages neither overlap nor skip, its filters filter."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.models import Customer, Vendor
from tests.api.client import Api, answer, refusal
from tests.api.many import fill
from tests.contract.served_schema import operations
from tests.factories import START, CustomerFactory, VendorFactory

MANY = 25
# The days of the running cycle, a customer's few cards, the names of all plans' features: answered whole.
COMPUTED = {"get_daily_accrued_revenue", "list_customer_payment_methods", "list_features"}


def _is_list(operation: dict[str, Any]) -> bool:
    content = next(said for code, said in operation["responses"].items() if code.startswith("2"))["content"]
    schema = content.get("application/json", {}).get("schema", {})
    asks = {parameter.get("name") for parameter in operation.get("parameters", [])}
    return operation["operationId"] not in COMPUTED and (schema.get("type") == "array" or "limit" in asks)


LISTS = {
    operation["operationId"]: path.removeprefix("/api/v1")
    for (method, path), operation in operations().items()
    if method == "get" and _is_list(operation)
}


def rows_of(response: Any) -> list[Any]:
    """Of a plain array, or of a page with its offsets beside it."""
    body = answer(response)
    found: list[Any] = (
        body if isinstance(body, list) else next(part for part in body.values() if isinstance(part, list))
    )
    return found


def counted(api: Api, path: str) -> tuple[int, int]:
    """Rows, and the queries they took."""
    api.get("/test_clock")  # the key's use is noted
    with CaptureQueriesContext(
        connection,
    ) as queries:
        rows = rows_of(api.get(path, {"limit": 100}))
    return len(rows), len(queries)


@pytest.mark.django_db
def test_the_queries_of_a_list_do_not_grow_with_its_rows() -> None:
    few, many = Api(VendorFactory.create()), Api(VendorFactory.create())
    addresses = {api: fill(api.vendor, count) for api, count in ((few, 1), (many, MANY))}
    assert len(LISTS) >= 14
    for name, path in LISTS.items():
        (one, queries), (more, theirs) = (counted(api, path.format(**addresses[api])) for api in (few, many))
        assert one < MANY <= more, f"{name} lists {one} and {more}"
        assert queries == theirs, f"{name}: {queries} queries for {one} rows, {theirs} for {more}"


@pytest.fixture
def addresses(api: Api) -> dict[str, str]:
    return fill(api.vendor, 5)


def test_pages_are_the_whole_list(api: Api, addresses: dict[str, str]) -> None:
    paged = {name: path for name, path in LISTS.items() if name not in OFFSETS}
    for name, path in paged.items():
        address = path.format(**addresses)
        whole = rows_of(api.get(address))
        pages = list(_pages(api, address, limit=2))
        assert [row for page in pages for row in page] == whole, name
        assert {len(page) for page in pages[:-1]} == {2}, name


OFFSETS = {"list_invoices", "list_customer_invoices", "list_price_plans_by_pages"}


def _pages(api: Api, path: str, **query: Any) -> Any:
    while True:
        response = api.get(path, query)
        yield rows_of(response)
        body = answer(response)
        cursor = response.headers.get("X-Next-Cursor") if isinstance(body, list) else body["next_cursor"]
        assert ("Link" in response.headers) == (isinstance(body, list) and cursor is not None)
        if cursor is None:
            return
        query["cursor"] = cursor


@pytest.mark.parametrize("name", sorted(OFFSETS))
def test_pages_by_offsets_are_the_whole_list(api: Api, addresses: dict[str, str], name: str) -> None:
    path, found, query = LISTS[name].format(**addresses), [], {"limit": "2"}
    while True:
        response = api.get(path, query)
        found += rows_of(response)
        if "Link" not in response.headers:
            break
        address = response["Link"].partition(">")[0].partition("?")[2]
        query = dict(part.split("=") for part in address.split("&"))
        query = {name: value.replace("%3A", ":").replace("%2B", "+") for name, value in query.items()}
    assert found == rows_of(api.get(path, {"limit": 100}))
    assert len(found) == 5


def test_pages_neither_overlap_nor_skip_while_rows_come_and_go(api: Api, vendor: Vendor) -> None:
    for name in ("b", "d", "f", "h"):
        CustomerFactory.create(vendor=vendor, name=name)
    first = api.get("/customers", {"limit": 2})
    assert [row["name"] for row in answer(first)] == ["b", "d"]
    for name in ("a", "c", "e"):
        CustomerFactory.create(vendor=vendor, name=name)
    Customer.objects.of(vendor).filter(name="d").delete()
    follows = answer(api.http.get(first["Link"].partition(">")[0][1:], headers=api._headers(None)))
    assert [row["name"] for row in follows] == ["e", "f"]


def test_a_cursor_belongs_to_its_list(api: Api, addresses: dict[str, str]) -> None:
    cursor = api.get("/meters", {"limit": 1})["X-Next-Cursor"]
    for path, wrong in (("/customers", cursor), ("/meters", cursor + "x"), ("/meters", "2")):
        assert list(refusal(api.get(path, {"cursor": wrong}), 422)) == ["cursor"]
    for limit in ("0", "1001", "x"):
        assert list(refusal(api.get("/meters", {"limit": limit}), 422)) == ["limit"]


@pytest.mark.parametrize(
    ("path", "query", "count"),
    [
        ("/customers", {"names": ["acme", "nobody"]}, 1),
        ("/customers", {"created_since": START.isoformat()}, 5),
        ("/customers", {"createdSince": "2026-01-02"}, 0),
        ("/customers/acme/mappings", {"label": "l3"}, 1),
        ("/customers/acme/metadata", {"property": "p3"}, 1),
        ("/customers/acme/adhoc_charges", {"start_time": "2026-01-02T00:00:00Z", "end_time": "2026-01-04"}, 2),
        ("/customers/acme/subscriptions", {"price_plan_name": "nothing"}, 0),
        ("/customers/acme/scheduled_subscriptions", {"price_plan_name": "nothing"}, 0),
        ("/meters", {"meter_type": "GAUGE"}, 0),
        ("/meters", {"names": "nothing"}, 0),
        ("/price_plans", {"tags": ["spring-2026", "second"]}, 5),
        ("/price_plans", {"tags": ["second"]}, 0),
        ("/live_measurements", {"customerName": "acme"}, 5),
        ("/live_measurements", {"meter_name": "nothing"}, 0),
        ("/coupons", {"names": ["coupon-1", "coupon-3"]}, 2),
        ("/coupons", {"code": "nothing"}, 0),
        ("/invoices/upcoming", {"customer_name": "nobody"}, 0),
        ("/invoices/upcoming", {"currency": "EUR"}, 0),
        ("/webhooks", {"url": "https://example.com/3"}, 1),
        ("/api_keys", {"scope": "read"}, 0),
    ],
)
def test_filters(api: Api, addresses: dict[str, str], path: str, query: dict[str, Any], count: int) -> None:
    assert len(rows_of(api.get(path, query))) == count


def test_every_list_can_be_narrowed() -> None:
    pages = {"limit", "cursor", "sort_column", "sort_direction", "forward_sort_offset", "forward_secondary_sort_offset"}
    for (method, path), operation in operations().items():
        if method == "get" and operation["operationId"] in LISTS:
            asks = {found["name"] for found in operation["parameters"] if found.get("in") == "query"}
            assert asks - pages, path
            assert asks & {"cursor", "forward_sort_offset"}, path


def test_every_list_refuses_what_it_does_not_know(api: Api, addresses: dict[str, str]) -> None:
    for path in LISTS.values():
        assert list(refusal(api.get(path.format(**addresses), {"nmaes": "x"}), 422)) == ["nmaes"]
