"""Examples in the schema: what to send, written by hand; what comes back, made from the documented fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

_UUID = "7d0c2a5e-3b1f-4a64-9c1d-2f8e6b0a9c11"
_TIME = "2026-03-01T00:00:00Z"
_SETTINGS = {"charges_enabled": True, "payment_grace_period_length": 2, "payment_grace_period_unit": "day"}

_FEATURE = {"name": "sso", "display_name": "Single sign-on"}

# By operation: a body that is accepted, once what it names is there.
BODIES: Mapping[str, Any] = {
    "create_meter": {"name": "requests", "display_name": "API requests", "meter_type": "COUNTER"},
    "update_meter": {"display_name": "API requests", "unit_name": "request"},
    "create_price_plan": {
        "name": "standard",
        "display_name": "Standard",
        "period": "month",
        "base_price": 9900,
        "metered_components": [
            {
                "meter_name": "requests",
                "display_name": "API requests",
                "price_scheme": {"scheme_type": "TIERED", "prices": [{"price": 7, "cap": 1000}, {"price": 5.5}]},
            }
        ],
    },
    "update_price_plan": {"base_price": 4900},
    "update_price_plan_in_place": {"display_name": "Standard", "features": [_FEATURE]},
    "update_tagged_price_plan_in_place": {"base_price_description": "Platform fee"},
    "add_features": {"features": [_FEATURE], "limits": [{"feature": {"name": "seats"}, "limit": 25}]},
    "remove_features": {"feature_names": ["sso"]},
    "add_metered_components": {
        "metered_components": [
            {"meter_name": "seats", "price_scheme": {"scheme_type": "FLAT", "prices": [{"price": 1000}]}}
        ]
    },
    "update_limits": {"limit": 1000000, "label_limits": [{"labels": {"region": "eu"}, "limit": 250000}]},
    "add_add_ons": {
        "add_ons": [{"feature": {"name": "seats"}, "prices": [{"price": 1000}], "quantity_enabled": True, "limit": 50}]
    },
    "create_customer": {
        "name": "acme",
        "display_name": "Acme Inc.",
        "contact_info": {"email": "billing@acme.example.com", "city": "Springfield"},
        "measurement_mappings": [{"label": "account", "value_regex": "acme-.*"}],
        "price_plan_name": "standard",
    },
    "update_customer": {"display_name": "Acme", "tags": ["large"]},
    "create_measurement_mapping": {"label": "project", "value_regex": "p-17"},
    "set_customer_metadata": [{"property": "tier", "value": "gold"}],
    "create_subscription": {"price_plan_name": "standard"},
    "update_subscription": {"price_plan_name": "standard", "at_cycle_end": True},
    "add_discounts": [{"discount_type": "PERCENT", "amount": 10, "scope": "INVOICE_TOTAL"}],
    "update_subscription_in_place": {"discounts": [{"discount_type": "FLAT", "amount": 500}]},
    "change_add_ons": [{"feature_name": "seats", "quantity": 2}],
    "create_coupon": {
        "name": "spring",
        "display_name": "Spring sale",
        "code": "SPRING26",
        "frequency": "RECURRING",
        "discount_type": "PERCENT",
        "discount_amount": 10,
        "duration_length": 3,
        "duration_unit": "month",
        "max_uses": 100,
    },
    "apply_coupon": {"customer_name": "acme", "code": "SPRING26"},
    "create_adhoc_charge": {"charge_time": _TIME, "item_name": "setup", "quantity": 1, "total_price": 50000},
    "send_measurement": {"meter_name": "requests", "customer_name": "acme", "value": 3, "time": _TIME},
    "send_measurements": [{"meter_name": "requests", "value": 3, "labels": {"account": "acme-7"}, "id": "m-1"}],
    "send_measurements_file": "meter_name,customer_name,value,time,labels.account\nrequests,acme,3,2026-03-01,acme-7\n",
    "usage_by_time": {"meter_name": "requests", "start_time": _TIME, "time_bucket": "day"},
    "spend_by_time": {"start_time": _TIME, "time_bucket": "day"},
    "save_billing_settings": _SETTINGS,
    "set_next_invoice_number": {"next_number": 418},
    "update_billing_settings": _SETTINGS,
    "save_customer_billing_settings": _SETTINGS,
    "update_customer_billing_settings": _SETTINGS,
    "create_invoice": {
        "line_items": [{"name": "Onboarding workshop", "quantity": 2, "unit_price": 45000}],
        "memo": "As agreed on the 3rd.",
        "due_date": "2026-03-31",
        "issue_now": True,
    },
    "change_invoice_due_date": {"due_date": "2026-03-31"},
    "record_invoice_payment": {"amount": 25000, "received_on": "2026-03-03", "method": "Bank transfer"},
    "act_on_invoices": {"action": "approve", "invoice_ids": [_UUID]},
    "pause_invoice": {"reason": "The customer asked about the third line."},
    "void_invoice": {"reason": "A duplicate."},
    "set_invoice_status": {"status": "INVOICE_PAID"},
    "pay_invoice": {"payment_method": "pm_1Q2w3E4r5T"},
    "create_customer_portal_setup_intent": {"customer_name": "acme"},
    "refund_invoice": {"amount": 2500, "reason": "An outage on the 3rd"},
    "create_refund": {"invoice_uuid": _UUID, "amount": 2500, "reason": "An outage on the 3rd"},
    "link_customer_payment_gateway_credential": {"payment_gateway": "STRIPE", "account_id": "cus_Q1w2E3r4T5"},
    "set_payment_gateway_credential": {
        "payment_gateway": "STRIPE",
        "auth_token": "rk_test_Q1w2E3r4T5",
        "publishable_key": "pk_test_Q1w2E3r4T5",
    },
    "create_webhook": {"url": "https://example.com/webhooks", "event_types": ["invoice.paid"]},
    "update_webhook": {"description": "Our books"},
    "move_test_clock": {"now": _TIME},
    "create_api_key": {"name": "Production backend", "scope": "measurements"},
    "roll_api_key": {"expires_at": _TIME},
    "roll_api_key_by_value": {"api_key": "bp_2f8e6b0a9c117d0c2a5e3b1f4a649c1d", "expires_at": _TIME},
}

# By the name of a field, where its type says too little.
_FIELDS: Mapping[str, Any] = {
    "name": "acme",
    "customer_name": "acme",
    "display_name": "Acme Inc.",
    "meter_name": "requests",
    "price_plan_name": "standard",
    "currency": "USD",
    "email": "billing@acme.example.com",
    "country": "US",
    "api_key": "bp_2f8e6b0a9c117d0c2a5e3b1f4a649c1d",
    "prefix": "bp_2f8e6",
    "account_id": "cus_Q1w2E3r4T5",
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "url": "https://example.com/webhooks",
    "number": "INV-0042",
    "limit": 10,
    "price": 7,
}
_FORMATS: Mapping[str, str] = {
    "date-time": _TIME,
    "uuid": _UUID,
    "uri": "https://example.com",
    "email": "billing@acme.example.com",
}
_TYPES: Mapping[str, Any] = {"string": "text", "integer": 1, "number": 1.5, "boolean": True, "null": None}
# A type that contains itself ends here.
_DEEPEST = 8


def add_examples(operation: Schema, schemas: Mapping[str, Schema]) -> None:
    """To the body, and to the success of one operation where it is JSON."""
    for sent in operation.get("requestBody", {}).get("content", {}).values():
        if operation["operationId"] in BODIES:
            sent["example"] = BODIES[operation["operationId"]]
    for code, said in operation["responses"].items():
        content = said.get("content", {}).get("application/json")
        if code.startswith("2") and content is not None:
            content["example"] = _example(content["schema"], schemas)


def _example(schema: Schema, schemas: Mapping[str, Schema], name: str = "", depth: int = 0) -> Any:
    if "$ref" in schema:
        return _example(schemas[schema["$ref"].rsplit("/")[-1]], schemas, name, depth)
    if choices := schema.get("enum"):
        return choices[0]
    if options := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        return _example(options[0], schemas, name, depth)
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    return _of_type(schema, schemas, name, depth)


def _of_type(schema: Schema, schemas: Mapping[str, Schema], name: str, depth: int) -> Any:
    types = schema.get("type", "null")
    kind = types if isinstance(types, str) else types[0]
    if kind == "array":
        return [] if depth > _DEEPEST else [_example(schema["items"], schemas, name, depth + 1)]
    if kind == "object":
        fields = schema.get("properties", {})
        return {field: _example(found, schemas, field, depth + 1) for field, found in fields.items()}
    known = _FIELDS.get(name)
    return known if isinstance(known, type(_TYPES[kind])) else _TYPES[kind]
