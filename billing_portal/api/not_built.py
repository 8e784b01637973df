"""Operations that existing client libraries know and that this product does not have as yet.

They answer 501 and say so in a sentence, once the API key is checked. One table and one view for all of them:
whoever builds one takes it out of the table. ``docs/api-operations.json`` lists every operation with its state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.urls import URLPattern, path
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import VendorView

AVALARA = "Taxes are not worked out by Avalara here. Set tax_rate in the billing settings."
ACCOUNTING = "No accounting system can be connected. Read invoices over the API, or receive them by webhooks."
CREDITS = "Prepaid credits are not built yet. A discount or an ad-hoc charge may serve until then."
TOP_OFF = "Topping off credits is not built yet, as prepaid credits are not."
RECOGNITION = "Revenue recognition is not built yet. /customers/{name}/revenue tells what was invoiced."
THRESHOLDS = "Spend thresholds are not built yet. /customers/{name}/total_accrued_revenue tells what was spent so far."
CUSTOMER_PORTAL = "The portal for your customers, and the tokens that open it, are not built yet."
SELF_SERVE = "Signing up without an operator is not built yet. Subscribe a customer at /customers/{name}/subscriptions."

_CUSTOMER = "customers/<str:name>"
_AVALARA = "integration/tax/avalara"

# Address -> its methods, and why not.
ROUTES: Mapping[str, tuple[str, str]] = {
    f"{_AVALARA}/company": ("get", AVALARA),
    f"{_AVALARA}/credentials/valid": ("post", AVALARA),
    f"{_AVALARA}/entity_use_code": ("get", AVALARA),
    f"{_AVALARA}/settings": ("get post put", AVALARA),
    f"{_AVALARA}/tax_code": ("get", AVALARA),
    f"{_CUSTOMER}/{_AVALARA}/address/valid": ("get", AVALARA),
    f"{_CUSTOMER}/{_AVALARA}/settings": ("get put", AVALARA),
    f"{_CUSTOMER}/accounting": ("get post delete", ACCOUNTING),
    f"{_CUSTOMER}/accounting/generation": ("post", ACCOUNTING),
    "credits/grant": ("get post", CREDITS),
    "credits/grant/<str:uuid>/grant": ("post", CREDITS),
    "credits/grant/<str:uuid>/void": ("post", CREDITS),
    "credits/ledger/<str:name>": ("get", CREDITS),
    "credits/ledger/<str:name>/<str:as_of>": ("get", CREDITS),
    f"{_CUSTOMER}/credit_balance": ("get", CREDITS),
    f"{_CUSTOMER}/credit_top_off_plan": ("get post put delete", TOP_OFF),
    f"{_CUSTOMER}/credit_top_off_plan/state": ("put", TOP_OFF),
    "recognized_revenue": ("post", RECOGNITION),
    f"{_CUSTOMER}/spend_threshold": ("get post delete", THRESHOLDS),
    f"{_CUSTOMER}/spend_thresholds": ("get post", THRESHOLDS),
    f"{_CUSTOMER}/spend_thresholds/<str:uuid>": ("get delete", THRESHOLDS),
    "price_plans/self_serve": ("get post", SELF_SERVE),
    "self_serve_settings": ("get post put", SELF_SERVE),
    "self_serve_settings/customization": ("get post put", SELF_SERVE),
    "customer_portal_settings": ("get post", CUSTOMER_PORTAL),
    "ecp/active_subscription": ("get post", CUSTOMER_PORTAL),
    "ecp/active_subscription/add_ons": ("post", CUSTOMER_PORTAL),
    "ecp/contact_info": ("get put", CUSTOMER_PORTAL),
    "ecp/credit/available_balance": ("get", CUSTOMER_PORTAL),
    "ecp/credit/ledger": ("get", CUSTOMER_PORTAL),
    "ecp/credit/purchase": ("post", CUSTOMER_PORTAL),
    "ecp/credit_grants": ("get", CUSTOMER_PORTAL),
    "ecp/credit_top_off_plan": ("get", CUSTOMER_PORTAL),
    "ecp/customer_portal_url": ("post", CUSTOMER_PORTAL),
    "ecp/daily_accrued_revenue": ("get", CUSTOMER_PORTAL),
    "ecp/filtered_usage": ("post", CUSTOMER_PORTAL),
    "ecp/invoices": ("get", CUSTOMER_PORTAL),
    "ecp/meters": ("get", CUSTOMER_PORTAL),
    "ecp/portal_url": ("get", CUSTOMER_PORTAL),
    "ecp/price_plans": ("get", CUSTOMER_PORTAL),
    "ecp/self_serve_customization": ("get", CUSTOMER_PORTAL),
    "ecp/self_serve_settings": ("get", CUSTOMER_PORTAL),
    "ecp/spend_by_time": ("post", CUSTOMER_PORTAL),
    "ecp/subscription": ("get post delete", CUSTOMER_PORTAL),
    "ecp/token": ("post", CUSTOMER_PORTAL),
    "ecp/total_accrued_revenue": ("get", CUSTOMER_PORTAL),
    "ecp/usage_by_time": ("post", CUSTOMER_PORTAL),
    "ecp/vendor": ("get", CUSTOMER_PORTAL),
}


class NotBuilt(APIException):
    status_code = 501
    default_code = "not_built"


class NotBuiltView(VendorView):
    """Not in the schema: a generated client should not offer what cannot be had."""

    schema = None
    why: ClassVar[str] = ""

    def get(self, request: Request, **address: Any) -> Response:
        raise NotBuilt(self.why)

    post = put = delete = get


def _route(route: str, methods: str, why: str) -> URLPattern:
    view = NotBuiltView.as_view(why=why, http_method_names=[*methods.split(), "options"])
    return path(route, view)


urlpatterns = [_route(route, methods, why) for route, (methods, why) in ROUTES.items()]
