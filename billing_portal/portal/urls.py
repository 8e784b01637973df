"""The addresses of the operators' screens."""

from django.contrib.auth.views import LogoutView
from django.urls import path, register_converter

from billing_portal.portal import billing_settings, customers, dashboard, invoices, session, test_clock
from billing_portal.portal.converters import CodeName

register_converter(CodeName, "code_name")

app_name = "portal"
urlpatterns = [
    path("sign-in/", session.SignIn.as_view(), name="sign_in"),
    path("sign-out/", LogoutView.as_view(next_page="portal:sign_in"), name="sign_out"),
    path("change-password/", session.change_password, name="change_password"),
    path("vendor/", session.choose_vendor, name="choose_vendor"),
    path("", dashboard.dashboard, name="dashboard"),
    path("invoices/", invoices.invoice_list, name="invoices"),
    path("invoices/<uuid:uuid>/", invoices.invoice_page, name="invoice"),
    path("invoices/<uuid:uuid>/pdf/", invoices.invoice_pdf, name="invoice_pdf"),
    path("invoices/<uuid:uuid>/<slug:name>/", invoices.invoice_verb, name="invoice_verb"),
    path("customers/", customers.customer_list, name="customers"),
    path("customers/<code_name:name>/", customers.overview, name="customer"),
    path("customers/<code_name:name>/invoices/", customers.invoices, name="customer_invoices"),
    path("customers/<code_name:name>/payments/", customers.payments, name="customer_payments"),
    path(
        "customers/<code_name:name>/payments/generate/",
        customers.generate_stripe_customer,
        name="generate_stripe_customer",
    ),
    path("customers/<code_name:name>/payments/link/", customers.link_stripe_customer, name="link_stripe_customer"),
    path("customers/<code_name:name>/billing-settings/", customers.billing_settings, name="customer_settings"),
    path("customers/<code_name:name>/billing-settings/preview/", customers.preview_override, name="preview_override"),
    path("customers/<code_name:name>/activity/", customers.activity, name="customer_activity"),
    path("settings/invoicing-payments/", billing_settings.billing_settings, name="billing_settings"),
    path("settings/invoicing-payments/preview/", billing_settings.preview_settings, name="preview_settings"),
    path("settings/invoicing-payments/test-connection/", billing_settings.test_connection, name="test_connection"),
    path("settings/test-clock/", test_clock.test_clock, name="test_clock"),
]
