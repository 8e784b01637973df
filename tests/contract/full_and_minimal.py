"""Two requests to each operation that existing clients know: with every field they may send, and with none they may
leave out; and whether an answer is what they read. Both are made from ``octane-api.json``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from tests.contract.octane_surface import surface

MISSING = object()

# By the name of a field, where its type says too little; {customer} and the like are ids of the vendor's.
VALUES: Mapping[str, Any] = {
    "name": "brand-new",
    "period": "month",
    "scheme_type": "FLAT",
    "duration_unit": "month",
    "country": "US",
    "email": "billing@example.com",
    "secondary_emails": ["books@example.com"],
    "url": "https://example.com/page",
    "logo_url": "https://example.com/logo.png",
    "vat_id": "DE129273398",
    "price_list": [],
    "event_label_filter": {
        "is_expression": False,
        "not_filter": False,
        "filter": {"key": "account", "operation": "EQUALS", "value": "acme"},
        "expression_operator": "AND",
        "filters": [],
    },
    "labels": {"account": "acme"},
    "customer_name": "{customer}",
    "meter_name": "{meter}",
    "price_plan_name": "{plan}",
    "price_plan_uuid": "{plan_uuid}",
    "price_plan_tag": "{tag}",
    "coupon_override_name": "{coupon}",
    "metered_component_uuid": "{component}",
    "discount_uuid": "{discount}",
    "invoice_uuid": "{invoice}",
    "api_key": "{secret}",
    "excluded_customers": ["{customer}"],
    "excluded_price_plans": ["{plan}"],
    "scope": "METERED_COMPONENT",
    "amount": 5,
    "aggregate": "SUM",
    "aggregation": "SUM",
    "auth_token": "{stripe_key}",
    "payment_gateway": "STRIPE",
    "add_on_name": MISSING,
    "cap": MISSING,
    "meter_id": MISSING,
    "label_limits": [],
    "limits": [{"feature": {"name": "sso"}, "limit": 3}],
    "watermark": MISSING,
    "time_unit_name": MISSING,
    "trial": {"time_length": 7, "time_unit_name": "day"},
    "trial_override": {"time_length": 7, "time_unit_name": "day"},
    "feature_names": [],
    "feature_name": "sso",
    "property": "tier",
    "retry_frequency_unit": "day",
    "payment_grace_period_unit": "day",
    "customer_invoice_detail_level": "SUMMARY",
    "start_time": "{earlier}",
    "expires_at": "{soon}",
    "expiration_time": "{soon}",
    "expire_at": "{soon}",
    "tags": ["one"],
    "account_id": "{counterpart}",
    "status": "INVOICE_PAID",
}
# What else an operation is sent. ``MISSING``: left out, for it contradicts another field or is refused with a reason.
ADD_ON = [{"feature": {"name": "reports", "display_name": "Reports", "description": ""}, "price": 5}]
NOT_OF_SUBSCRIPTIONS = {
    "labels": MISSING,
    "discount_override": MISSING,
    "credit_plan": MISSING,
    "price_plan_name": MISSING,
    "add_ons": [],
}
_PLAN = {"meter_name": "unused", "add_ons": ADD_ON}
CHANGES: Mapping[str, Mapping[str, Any]] = {
    "create_coupon": {"frequency": "RECURRING"},
    "set_payment_gateway_credential": {"account_id": "{stripe_account}"},
    "apply_coupon": {"name": "{coupon}", "code": MISSING},
    "create_customer": {"name": "brand-newer", "autogenerate_accounting_customer": MISSING},
    "add_discounts": {"labels": MISSING},
    "end_subscription": {"at_cycle_end": MISSING},
    "update_subscription": {**NOT_OF_SUBSCRIPTIONS, "effective_at": MISSING, "at_cycle_start": MISSING},
    "update_subscription_in_place": NOT_OF_SUBSCRIPTIONS,
    "create_subscription": NOT_OF_SUBSCRIPTIONS,
    "change_add_ons": {"name": "sso", "at_cycle_start": MISSING, "at_cycle_end": MISSING},
    "send_measurement": {"event_name": MISSING},
    "send_measurements": {"event_name": MISSING},
    "create_meter": {"data_type": MISSING},
    "create_price_plan": _PLAN,
    "update_price_plan": {**_PLAN, "name": "{plan}"},
    "update_price_plan_in_place": _PLAN,
    "update_tagged_price_plan_in_place": _PLAN,
    "add_metered_components": _PLAN,
    "add_add_ons": {"add_ons": ADD_ON},
}
# What a minimal request has beside the fields that the surface calls required: without them nobody knows what is meant.
NEEDED: Mapping[str, Mapping[str, Any]] = {
    "apply_coupon": {"customer_name": "{customer}", "name": "{coupon}"},
    "create_coupon": {"frequency": "ONCE"},
    "create_customer": {"name": "brand-new"},
    "create_meter": {"name": "brand-new"},
    "create_price_plan": {"name": "brand-new"},
    "add_discounts": {"discount_type": "PERCENT", "amount": 5, "scope": "INVOICE_TOTAL"},
    "set_customer_metadata": {"property": "tier"},
    "link_customer_payment_gateway_credential": {"account_id": "{counterpart}"},
    "update_subscription": {"price_plan_name": "{plan}"},
    "create_subscription": {"price_plan_name": "{plan}"},
    "change_add_ons": {"feature_name": "sso"},
    "send_measurement": {"meter_name": "{meter}"},
    "send_measurements": {"meter_name": "{meter}"},
    "create_refund": {"amount": 5, "invoice_uuid": "{invoice}"},
    "set_payment_gateway_credential": {"auth_token": "{stripe_key}"},
    "create_webhook": {"url": "https://example.com/page"},
    "get_usage": {"meter_name": "{meter}"},
    "get_customer_portal_payment_method": {"customer_name": "{customer}"},
    "get_customer_portal_payment_method_status": {"customer_name": "{customer}"},
    "create_customer_portal_setup_intent": {"customer_name": "{customer}"},
}
# Offsets are passed back from an answer; each list sorts by columns of its own.
QUERY: Mapping[str, Any] = {
    "limit": 5,
    "start_time": "{earlier}",
    "end_time": "{now}",
    "customer_name": "{customer}",
    "meter_name": "{meter}",
    "names": ["{plan}"],
    "tags": ["one"],
    "status": "INVOICE_PAID",
}
# These answer what was given, and leave out the rest.
MAY_LACK = frozenset({"Measurement", "PriceTier"})
PLAIN: Mapping[str, Any] = {"string": "words", "number": 1, "boolean": True, "object": {}}


def fill_in(value: Any, ids: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return ids[value[1:-1]] if re.fullmatch(r"{\w+}", value) else value
    if isinstance(value, dict):
        return {name: fill_in(item, ids) for name, item in value.items()}
    if isinstance(value, list):
        return [fill_in(item, ids) for item in value]
    return value


def full(kind: str, ids: Mapping[str, str], changes: Mapping[str, Any], name: str = "") -> Any:
    """A value of a type of the surface. ``changes``: other values, or ``MISSING``, for fields of this name."""
    if name in changes or name in VALUES:
        return fill_in(changes.get(name, VALUES.get(name)), ids)
    if item := re.fullmatch(r"Array<(.+)>|\[(\w+)\]", kind):
        return [full(item[1] or item[2], ids, changes)]
    if kind == "datetime":
        return ids["now"]
    model = surface()["models"].get(kind)
    if model is None:
        return PLAIN[kind]
    made = {field: _value(found, field, ids, changes) for field, found in model.items()}
    return {field: value for field, value in made.items() if value is not MISSING}


def _value(field: Mapping[str, Any], name: str, ids: Mapping[str, str], changes: Mapping[str, Any]) -> Any:
    if "enum" in field and name not in changes and VALUES.get(name) not in field["enum"]:
        return field["enum"][0]
    return full(field["type"], ids, changes, name)


def minimal(request: str, ids: Mapping[str, str], changes: Mapping[str, Any], needed: Mapping[str, Any]) -> Any:
    """Only what the surface requires, and what we cannot do without."""
    fields = surface()["models"].get(request.strip("[]"), {})
    wanted = {name for name, field in fields.items() if field.get("required")} | set(needed)
    body = {name: _value(fields[name], name, ids, {**changes, **needed}) for name in sorted(wanted)}
    body = {name: value for name, value in body.items() if value is not MISSING}
    return [body] if request.startswith("[") else body


def query(names: list[str], ids: Mapping[str, str]) -> dict[str, Any]:
    return {name: fill_in(QUERY[name], ids) for name in names if name in QUERY}


def problems(value: Any, kind: str, where: str = "answer", *, nullable: bool = False) -> Iterator[str]:
    """What a client that was told ``kind`` would trip over."""
    if kind in ("void", "Error"):
        return
    if value is None:
        yield from () if nullable else (f"{where} is null",)
    elif item := re.fullmatch(r"Array<(.+)>|\[(\w+)\]", kind):
        if not isinstance(value, list):
            yield f"{where} is no list"
            return
        for number, one in enumerate(value):
            yield from problems(one, item[1] or item[2], f"{where}.{number}")
    elif kind in surface()["models"]:
        yield from _model_problems(value, kind, where)
    elif not _is(value, kind):
        yield f"{where} is {value!r}, not {kind}"


def _model_problems(value: Any, model: str, where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where} is no object"
        return
    for name, field in surface()["models"][model].items():
        if name not in value:
            yield from () if model in MAY_LACK else (f"{where}.{name} is missing",)
        else:
            optional = bool(field.get("nullable")) or not field.get("required")
            yield from problems(value[name], field["type"], f"{where}.{name}", nullable=optional)


def _is(value: Any, kind: str) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "datetime":
            return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    return isinstance(value, dict | list | str | int | float)
