"""Requests that name something in their body or query: {meter} and the like stand for an id or a name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

USAGE = {"meter_name": "{meter}", "start_time": "2026-01-01T00:00:00Z"}
COMPONENTS = [{"meter_name": "{meter}", "price_scheme": {"scheme_type": "FLAT", "prices": [{"price": 1}]}}]
DISCOUNT = {
    "discount_type": "PERCENT",
    "amount": 5,
    "scope": "METERED_COMPONENT",
    "metered_component_uuid": "{component}",
}
MEASURED = {"meter_name": "counted", "customer_name": "mine", "value": 1, "time": "2026-01-01T00:00:00Z"}
COUPON = {"name": "spring", "frequency": "ONCE", "discount_type": "FLAT", "discount_amount": 999_983}
FEATURE = {"feature_name": "{feature}"}

Asked = tuple[str, str, Any]

# Where an id or a name stands in the body or in the query. ``mine`` has nothing, ``subscribed`` has a subscription to
# the plan ``own``, whose id is {own}.
REFERENCES: list[Asked] = [
    ("post", "/refund", {"invoice_uuid": "{invoice}", "amount": 1}),
    ("post", "/invoices/bulk", {"action": "void", "invoice_ids": ["{invoice}"]}),
    ("post", "/customers", {"name": "new", "price_plan_name": "{plan}"}),
    ("post", "/customers", {"name": "new", "price_plan_name": "{plan}", "price_plan_tag": "{tag}"}),
    ("post", "/customers", {"name": "new", "price_plan_name": "own", "price_plan_tag": "{tag}"}),
    ("post", "/customers/mine/subscriptions", {"price_plan_name": "{plan}"}),
    ("post", "/customers/mine/subscriptions", {"price_plan_name": "own", "price_plan_tag": "{tag}"}),
    ("post", "/customers/mine/subscriptions", {"price_plan_uuid": "{plan_uuid}"}),
    ("post", "/customers/mine/subscriptions", {"price_plan_name": "own", "coupon_override_name": "{coupon}"}),
    ("post", "/customers/mine/subscriptions", {"price_plan_name": "own", "discounts": [DISCOUNT]}),
    ("post", "/customers/mine/subscriptions", {"price_plan_name": "own", "add_ons": [{"name": "{feature}"}]}),
    ("put", "/customers/subscribed/subscription", {"price_plan_name": "{plan}"}),
    ("put", "/customers/subscribed/subscription", {"price_plan_name": "own", "price_plan_tag": "{tag}"}),
    ("put", "/customers/subscribed/subscription", {"price_plan_uuid": "{plan_uuid}"}),
    ("put", "/customers/subscribed/subscription", {"price_plan_name": "own", "coupon_override_name": "{coupon}"}),
    ("put", "/customers/subscribed/subscription", {"price_plan_name": "own", "discounts": [DISCOUNT]}),
    ("put", "/customers/subscribed/subscription/update_in_place", {"coupon_override_name": "{coupon}"}),
    ("put", "/customers/subscribed/subscription/update_in_place", {"discounts": [DISCOUNT]}),
    ("put", "/customers/subscribed/subscription/update_in_place", {"add_ons": [{"name": "{feature}"}]}),
    ("post", "/customers/subscribed/subscription/add_ons", [FEATURE]),
    ("post", "/customers/subscribed/discounts", [DISCOUNT]),
    ("delete", "/customers/subscribed/discounts", {"discount_uuid": "{discount}"}),
    ("get", "/customers/subscribed/subscriptions", {"price_plan_name": "{plan}"}),
    ("get", "/customers/subscribed/scheduled_subscriptions", {"price_plan_name": "{plan}"}),
    ("post", "/customers/mine/usage_by_time", USAGE),
    ("get", "/customers/mine/usage", USAGE),
    ("get", "/customers/mine/invoices", {"customer_name": "{customer}"}),
    ("post", "/coupons/apply_coupon", {"customer_name": "{customer}", "name": "{coupon}"}),
    ("post", "/coupons/apply_coupon", {"customer_name": "subscribed", "name": "{coupon}"}),
    ("post", "/ecp/setup_intent", {"customer_name": "{customer}"}),
    ("get", "/ecp/payment_method", {"customer_name": "{customer}"}),
    ("get", "/ecp/payment_method_status", {"customer_name": "{customer}"}),
    ("get", "/live_measurements", {"customer_name": "{customer}"}),
    ("get", "/live_measurements", {"meter_name": "{meter}"}),
    ("get", "/customers", {"names": ["{customer}"]}),
    ("get", "/coupons", {"names": ["{coupon}"]}),
    ("get", "/invoices/upcoming", {"customer_name": "{customer}"}),
    ("get", "/invoices", {"customer_name": "{customer}"}),
    ("get", "/meters", {"names": ["{meter}"]}),
    ("get", "/price_plans", {"names": ["{plan}"]}),
    ("get", "/price_plans/paginate", {"names": ["{plan}"]}),
    ("post", "/admin/api_key/roll", {"api_key": "{secret}"}),
    ("post", "/price_plans", {"name": "p", "period": "month", "metered_components": COMPONENTS}),
    ("put", "/price_plans/own", {"metered_components": COMPONENTS}),
    ("post", "/price_plans/update_in_place/own", {"metered_components": COMPONENTS}),
    ("post", "/price_plans/update_in_place/own/first", {"metered_components": COMPONENTS}),
    ("post", "/price_plans/{own}/add_metered_components", {"metered_components": COMPONENTS}),
    ("post", "/price_plans/{own}/remove_features", {"feature_names": ["{feature}"]}),
]
# These are taken for the words they are: nobody looks them up.
AS_WORDS: list[Asked] = [
    ("post", "/measurements", {**MEASURED, "meter_name": "{meter}"}),
    ("post", "/measurements", {**MEASURED, "customer_name": "{customer}"}),
    ("post", "/measurements/multi", [{**MEASURED, "meter_name": "{meter}", "customer_name": "{customer}"}]),
    ("post", "/measurements/csv", "meter_name,customer_name,value\n{meter},mine,1\ncounted,{customer},1\n"),
    ("post", "/coupons", {**COUPON, "excluded_customers": ["{customer}"], "excluded_price_plans": ["{plan}"]}),
]

# The fields that name something of the vendor's, wherever they stand.
REFERRING = {
    "api_key",
    "coupon_override_name",
    "customer_name",
    "discount_uuid",
    "excluded_customers",
    "excluded_price_plans",
    "feature_name",
    "feature_names",
    "invoice_ids",
    "invoice_uuid",
    "meter_name",
    "metered_component_uuid",
    "names",
    "price_plan_name",
    "price_plan_tag",
    "price_plan_uuid",
}


def named_in(body: Any) -> Iterator[str]:
    """The fields of a body, at any depth; of a file, its columns."""
    if isinstance(body, str):
        yield from body.partition("\n")[0].split(",")
    for item in body if isinstance(body, list) else [body]:
        for name, value in item.items() if isinstance(item, dict) else ():
            yield name
            yield from named_in(value)
