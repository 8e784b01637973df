"""The addresses of the API below ``/api/v1``, written without a trailing slash (see ``paths.py``)."""

from django.urls import include, path

from billing_portal.api import not_built, reference
from billing_portal.api.customers import CustomerStatusView, CustomersView
from billing_portal.api.errors import unknown_path
from billing_portal.api.keys import ApiKeysView, ApiKeyView, OctaneRollView, RollApiKeyView

ROOMS = (
    "customers",
    "customers.settings",
    "customers.events",
    "invoicing.catalog",
    "invoicing.usage",
    "invoicing.subscriptions",
    "invoicing.invoices",
    "payments.stripe",
)

urlpatterns = [
    path("openapi.json", reference.schema, name="openapi"),
    path("docs", reference.page, name="api-reference"),
    path("customers", CustomersView.as_view(), name="customers"),
    path("customers/<str:name>/status", CustomerStatusView.as_view(), name="customer-status"),
    path("api_keys", ApiKeysView.as_view(), name="api-keys"),
    path("api_keys/<str:uuid>", ApiKeyView.as_view(), name="api-key"),
    path("api_keys/<str:uuid>/roll", RollApiKeyView.as_view(), name="api-key-roll"),
    path("admin/api_key/roll", OctaneRollView.as_view(), name="admin-api-key-roll"),
    # Before the rooms: /price_plans/self_serve is no plan's name.
    *not_built.urlpatterns,
    *[path("", include(f"{room}.api.urls")) for room in ROOMS],
    path("<path:rest>", unknown_path),
]
