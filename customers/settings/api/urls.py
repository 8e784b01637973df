from django.urls import path

from customers.settings.api.views import BillingSettingsView, CustomerBillingSettingsView

urlpatterns = [
    path("billing_settings", BillingSettingsView.as_view(), name="billing-settings"),
    path(
        "customers/<str:name>/billing_settings",
        CustomerBillingSettingsView.as_view(),
        name="customer-billing-settings",
    ),
]
