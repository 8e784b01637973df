"""Two vendors' keys: no operation of one shows or changes anything of the other, or tells that it is there.

Every operation that is served is called with the other vendor's ids, and with ids that nobody has: the answers are
the same but for the id.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps

from customers.models import MeasurementMapping, WebhookDelivery
from invoicing.models import AdhocCharge, Invoice, LineItem, Meter, PricePlan
from tests.api.client import Api
from tests.api.many import fill
from tests.api.test_lists import LISTS, rows_of
from tests.contract.served_schema import operations
from tests.factories import CustomerFactory

MOMENT = "2026-01-01T00:00:00Z"

Ids = dict[str, str]

# A parameter is called alike under different roots; each is found by what stands before it in the address.
NAMES = {"customers": "customer", "meters": "meter", "price_plans": "plan", "invoices": "invoice", "line_items": "line"}
NAMES |= {"webhooks": "webhook", "deliveries": "delivery", "api_keys": "key", "mappings": "mapping"}
NAMES |= {"adhoc_charges": "charge", "plan": "tag", "update_in_place": "plan", "invoice": "invoice"}
NAMES |= {"payment_methods": "card", "coupons": "coupon", "features": "feature"}
NAMES |= {"metered_components": "component"}
NAMES |= {"sample_invoice": "moment", "moment": "tag", "usage_across_meters": "tag"}

SCHEME = {"scheme_type": "FLAT", "prices": [{"price": 1}]}
USAGE = {"meter_name": "{meter}", "start_time": "2026-01-01T00:00:00Z"}
DISCOUNT = {
    "discount_type": "PERCENT",
    "amount": 5,
    "scope": "METERED_COMPONENT",
    "metered_component_uuid": "{component}",
}
# Where an id stands in the body or in the query.
REFERENCES: list[tuple[str, str, Any]] = [
    ("post", "/refund", {"invoice_uuid": "{invoice}", "amount": 1}),
    ("post", "/invoices/bulk", {"action": "void", "invoice_ids": ["{invoice}"]}),
    ("post", "/customers", {"name": "new", "price_plan_name": "{plan}"}),
    ("post", "/customers", {"name": "new", "price_plan_name": "{plan}", "price_plan_tag": "{tag}"}),
    ("post", "/customers/mine/subscriptions", {"price_plan_name": "{plan}"}),
    ("post", "/customers/mine/subscriptions", {"price_plan_uuid": "{plan_uuid}"}),
    ("put", "/customers/mine/subscription", {"price_plan_uuid": "{plan_uuid}"}),
    ("post", "/customers/mine/discounts", [DISCOUNT]),
    ("post", "/customers/mine/usage_by_time", USAGE),
    ("get", "/customers/mine/usage", USAGE),
    ("post", "/ecp/setup_intent", {"customer_name": "{customer}"}),
    ("get", "/ecp/payment_method_status", {"customer_name": "{customer}"}),
    ("get", "/live_measurements", {"customer_name": "{customer}"}),
    ("get", "/live_measurements", {"meter_name": "{meter}"}),
    ("get", "/customers", {"names": ["{customer}"]}),
    ("get", "/invoices", {"customer_name": "{customer}"}),
    ("get", "/meters", {"names": ["{meter}"]}),
    ("get", "/price_plans", {"names": ["{plan}"]}),
    ("post", "/admin/api_key/roll", {"api_key": "{secret}"}),
    (
        "post",
        "/price_plans",
        {"name": "p", "period": "month", "metered_components": [{"meter_name": "{meter}", "price_scheme": SCHEME}]},
    ),
]


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


def heard(api: Api, method: str, path: str, ids: Ids, body: Any = None) -> tuple[int, str]:
    """The status and the body, the ids struck out."""
    given = {} if body is None and method != "get" else body
    given = json.loads(re.sub(r"{(\w+)}", lambda found: ids.get(found[1], found[0]), json.dumps(given)))
    response = getattr(api, method)(path, given)
    if response["Content-Type"] != "application/json":
        return response.status_code, "a file"
    content = json.loads(response.content)
    text = json.dumps({**content, "code": ""} if isinstance(content, dict) else content)
    for value in sorted(ids.values(), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "*", text)
    return response.status_code, text


def everything() -> dict[str, list[Any]]:
    """Every row there is, but for the time at which a key was used."""
    rooms = [apps.get_app_config(label).get_models() for label in ("customers", "invoicing", "payments", "accounts")]
    found = {model.__name__: list(model._default_manager.order_by("pk").values()) for room in rooms for model in room}
    return found | {"ApiKey": [{**row, "last_used_at": None} for row in found["ApiKey"]]}


@pytest.fixture
def theirs(api: Api, stranger: Api) -> Ids:
    CustomerFactory.create(vendor=api.vendor, name="mine")
    fill(stranger.vendor, 2)
    return ids_of(stranger)


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
            assert found[0] in (404, 409, 422), f"{method} {path}: {found}"
            asked += 1
    assert asked >= 80
    assert everything() == before


@pytest.mark.parametrize(("method", "path", "body"), REFERENCES)
def test_no_reference_to_anything_of_another_vendor_is_understood(
    api: Api, theirs: Ids, method: str, path: str, body: Any
) -> None:
    before = everything()
    found, expected = heard(api, method, path, theirs, body), heard(api, method, path, nobodys(theirs), body)
    assert found == expected
    assert found[0] in (404, 422) or all(row["success"] is False for row in rows_of_text(found[1]))
    assert everything() == before


def rows_of_text(text: str) -> list[Any]:
    body = json.loads(text)
    return body if isinstance(body, list) else next(part for part in body.values() if isinstance(part, list))


def test_no_list_shows_anything_of_another_vendor(api: Api, stranger: Api) -> None:
    fill(stranger.vendor, 2)
    for name, path in LISTS.items():
        if "{" not in path:
            assert len(rows_of(api.get(path))) == (1 if name == "list_api_keys" else 0), name
