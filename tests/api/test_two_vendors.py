"""Two vendors' keys: no operation of one shows or changes anything of the other, or tells that it is there.

Every operation that is served is called with the other vendor's ids, and with ids that nobody has: the answers are
the same but for the id, and so is what is asked of the database on the way, so that time tells nothing either.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from customers.models import MeasurementMapping, WebhookDelivery
from invoicing.models import AdhocCharge, Discount, Invoice, LineItem, Meter, PricePlan
from tests.api.client import Api, answer
from tests.api.many import fill
from tests.api.references import AS_WORDS, REFERENCES, REFERRING, named_in
from tests.api.test_lists import LISTS, rows_of
from tests.books import everything
from tests.contract.served_schema import Operation, operation_at, operations, served
from tests.factories import CustomerFactory

MOMENT = "2026-01-01T00:00:00Z"
# Of a statement: texts, numbers, and how savepoints are called.
_VALUE = re.compile(r"'(?:[^']|'')*'|\b(?:s\d+_x)?\d+\b")

Ids = dict[str, str]

# A parameter is called alike under different roots; each is found by what stands before it in the address.
NAMES = {"customers": "customer", "meters": "meter", "price_plans": "plan", "invoices": "invoice", "line_items": "line"}
NAMES |= {"webhooks": "webhook", "deliveries": "delivery", "api_keys": "key", "mappings": "mapping"}
NAMES |= {"adhoc_charges": "charge", "plan": "tag", "update_in_place": "plan", "invoice": "invoice"}
NAMES |= {"payment_methods": "card", "coupons": "coupon", "features": "feature"}
NAMES |= {"metered_components": "component"}
NAMES |= {"sample_invoice": "moment", "moment": "tag", "usage_across_meters": "tag"}


def ids_of(api: Api) -> Ids:
    """One of each kind that the vendor has."""
    vendor = api.vendor
    plan = PricePlan.objects.of(vendor).first()
    invoice = Invoice.objects.of(vendor).first()
    assert plan is not None
    assert invoice is not None
    return {
        "customer": "acme",
        "webhook": str(WebhookDelivery.objects.of(vendor)[0].endpoint.uuid),
        "meter": Meter.objects.of(vendor)[0].name,
        "plan": plan.name,
        "plan_uuid": str(plan.external_uuid),
        "component": str(plan.metered_components.get().external_uuid),
        "discount": str(Discount.objects.of(vendor)[0].uuid),
        "tag": "spring-2026",
        "invoice": str(invoice.uuid),
        "line": str(LineItem.objects.filter(invoice=invoice)[0].uuid),
        "charge": str(AdhocCharge.objects.of(vendor)[0].uuid),
        "delivery": str(WebhookDelivery.objects.of(vendor)[0].pk),
        "mapping": str(MeasurementMapping.objects.filter(customer__vendor=vendor)[0].pk),
        "key": str(api.row.uuid),
        "card": "pm_1",
        "coupon": "coupon-0",
        "feature": "sso",
        "moment": MOMENT,
        "secret": api.key,
    }


def nobodys(theirs: Ids) -> Ids:
    """Ids of the same form that nobody has."""
    return {name: _another(value) for name, value in theirs.items()}


def _another(value: str) -> str:
    if value == MOMENT:
        return value  # nobody's, and everybody's
    if value.isdecimal():
        return str(10**9 + int(value))
    return str(uuid.uuid4()) if re.fullmatch(r"[0-9a-f-]{36}", value) else f"no-{value}"


def addresses(ids: Ids) -> Iterator[tuple[str, str, str]]:
    """Each operation with a parameter: its method, its address as documented, and with ``ids`` filled in."""
    for method, path in operations():
        if "{" in path:
            yield method, path, filled(path.removeprefix("/api/v1"), ids)


def filled(path: str, ids: Ids) -> str:
    parts, kind = [], ""
    for part in path.split("/"):
        kind = NAMES[kind] if part.startswith("{") else part
        kind = "plan_uuid" if (kind, part) == ("plan", "{uuid}") else kind
        parts.append(ids[kind] if part.startswith("{") else part)
    return "/".join(parts)


class Heard(NamedTuple):
    status: int
    body: str
    statements: list[str]


def heard(api: Api, method: str, path: str, ids: Ids, body: Any = None) -> Heard:
    """The answer, the ids struck out, and the statements that it took, without their values."""
    given = {} if body is None and method != "get" else body
    path, given = (json.loads(_naming(json.dumps(part), ids)) for part in (path, given))
    api.get("/test_clock")  # the key's use is noted
    with CaptureQueriesContext(connection) as queries:
        response = getattr(api, method)(path, given)
    return Heard(response.status_code, _text(response, ids), [_VALUE.sub("?", query["sql"]) for query in queries])


def _naming(text: str, ids: Ids) -> str:
    return re.sub(r"{(\w+)}", lambda found: ids.get(found[1], found[0]), text)


def _text(response: Any, ids: Ids) -> str:
    if response["Content-Type"] != "application/json":
        return "a file"
    content = json.loads(response.content)
    text = json.dumps({**content, "code": ""} if isinstance(content, dict) else content)
    for value in sorted(ids.values(), key=len, reverse=True):
        text = re.sub(rf"(?<![\w-]){re.escape(value)}(?![\w-])", "*", text)
    return text


@pytest.fixture
def theirs(api: Api, stranger: Api) -> Ids:
    _mine(api)
    fill(stranger.vendor, 2)
    return ids_of(stranger)


def _mine(api: Api) -> None:
    """A customer who has nothing, and one with a subscription, so that references in changes of it are looked up."""
    CustomerFactory.create(vendor=api.vendor, name="mine")
    answer(api.post("/price_plans", {"name": "own", "period": "month", "base_price": 100, "tags": ["first"]}))
    answer(api.post("/customers", {"name": "subscribed", "price_plan_name": "own"}))
    answer(api.post("/meters", {"name": "counted"}))


def test_no_address_of_another_vendor_shows_changes_or_tells_anything(api: Api, theirs: Ids) -> None:
    unknown, before = nobodys(theirs), everything()
    mine = {"customer": "mine"}
    asked = 0
    for told, never in ((theirs, unknown), (theirs | mine, unknown | mine)):
        for (method, path, address), (_, _, wrong) in zip(addresses(told), addresses(never), strict=True):
            if address == wrong:
                continue  # the second round is for what hangs on a customer of one's own
            found, expected = heard(api, method, address, theirs), heard(api, method, wrong, unknown)
            assert found == expected, f"{method} {path}"
            # 409: of a customer of one's own, which has no Stripe customer.
            assert found.status in (404, 409, 422), f"{method} {path}: {found}"
            asked += 1
    assert asked >= 80
    assert everything() == before


def test_no_reference_to_anything_of_another_vendor_is_understood(api: Api, theirs: Ids) -> None:
    before = everything()
    for method, path, body in REFERENCES:
        found, expected = (heard(api, method, path, ids, body) for ids in _both(api, theirs))
        assert found == expected, f"{method} {path} {body}"
        refused = found.status in (404, 422)
        assert refused or all(row["success"] is False for row in rows_of_text(found.body)), f"{path} {body}: {found}"
    assert everything() == before


@pytest.mark.parametrize(("method", "path", "body"), AS_WORDS)
def test_a_word_that_is_a_name_elsewhere_is_but_a_word(
    api: Api, theirs: Ids, method: str, path: str, body: Any
) -> None:
    found = []
    for ids in _both(api, theirs):
        before = transaction.savepoint()
        found.append(heard(api, method, path, ids, body))
        transaction.savepoint_rollback(before)
    assert found[0] == found[1]
    assert found[0].status == 200, found[0]


def _both(api: Api, theirs: Ids) -> tuple[Ids, Ids]:
    """The other vendor's ids, and ids that nobody has; beside them the id of the asking vendor's own plan."""
    own = {"own": str(PricePlan.objects.of(api.vendor).get(name="own").external_uuid)}
    return theirs | own, nobodys(theirs) | own


def test_no_reference_is_forgotten() -> None:
    """Read from the schema: each field that names something is among those above."""
    tried: dict[Operation, set[str]] = {}
    for method, path, body in (*REFERENCES, *AS_WORDS):
        tried.setdefault(operation_at(method, f"/api/v1{path}"), set()).update(named_in(body))
    missing = {
        found: sorted(names)
        for found, said in operations().items()
        if (names := REFERRING & set(_fields(said)) - tried.get(found, set()))
    }
    assert missing == {}


def _fields(operation: dict[str, Any]) -> Iterator[str]:
    yield from (parameter["name"] for parameter in operation.get("parameters", []) if parameter.get("in") == "query")
    content = operation.get("requestBody", {}).get("content", {})  # of a file nothing is said but that it is text
    yield from _fields_of(content.get("application/json", {}).get("schema"))


def _fields_of(schema: Any) -> Iterator[str]:
    """At any depth, references followed."""
    if isinstance(schema, list):
        yield from (name for part in schema for name in _fields_of(part))
    elif isinstance(schema, dict):
        yield from schema.get("properties", {})
        yield from _fields_of(list(schema.values()))
        if isinstance(reference := schema.get("$ref"), str):
            yield from _fields_of(served()["components"]["schemas"][reference.rsplit("/")[-1]])


def rows_of_text(text: str) -> list[Any]:
    body = json.loads(text)
    return body if isinstance(body, list) else next(part for part in body.values() if isinstance(part, list))


def test_no_list_shows_anything_of_another_vendor(api: Api, stranger: Api) -> None:
    fill(stranger.vendor, 2)
    for name, path in LISTS.items():
        if "{" not in path:
            assert len(rows_of(api.get(path))) == (1 if name == "list_api_keys" else 0), name
