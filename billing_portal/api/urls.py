"""The addresses of the API below ``/api/v1``, written without a trailing slash (see ``paths.py``)."""

from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView

from billing_portal.api import not_built
from billing_portal.api.customers import CustomerStatusView, CustomersView
from billing_portal.api.errors import unknown_path

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
    path("openapi.json", SpectacularJSONAPIView.as_view(), name="openapi"),
    path("customers", CustomersView.as_view(), name="customers"),
    path("customers/<str:name>/status", CustomerStatusView.as_view(), name="customer-status"),
    # Before the rooms: /price_plans/self_serve is no plan's name.
    *not_built.urlpatterns,
    *[path("", include(f"{room}.api.urls")) for room in ROOMS],
    path("<path:rest>", unknown_path),
]
