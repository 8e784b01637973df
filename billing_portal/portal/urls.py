"""The addresses of the operators' screens."""

from django.contrib.auth.views import LogoutView
from django.urls import path, register_converter

from billing_portal.portal import (
    api_keys,
    billing_settings,
    customer_changes,
    customer_payments,
    customers,
    dashboard,
    invoices,
    line_item,
    meters,
    price_plans,
    reconciliation,
    session,
    stripe_connection,
    stripe_events,
    stripe_keys,
    stripe_oauth,
    test_clock,
    unattributed,
)
from billing_portal.portal.converters import CodeName, StripeMode

register_converter(CodeName, "code_name")
register_converter(StripeMode, "stripe_mode")

STRIPE = "settings/invoicing-payments/stripe/"

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
    path("invoices/<uuid:uuid>/lines/<uuid:line>/", line_item.line_item_page, name="line_item"),
    path("invoices/<uuid:uuid>/<slug:name>/", invoices.invoice_verb, name="invoice_verb"),
    path("customers/", customers.customer_list, name="customers"),
    path("new-customer/", customer_changes.new_customer, name="new_customer"),
    path("mapping-tester/", customer_changes.try_mappings, name="try_mappings"),
    path("customers/<code_name:name>/edit/", customer_changes.edit_customer, name="edit_customer"),
    path("customers/<code_name:name>/subscribe/", customer_changes.subscribe_customer, name="subscribe"),
    path("customers/<code_name:name>/end-subscription/", customer_changes.end, name="end_subscription"),
    path("customers/<code_name:name>/", customers.overview, name="customer"),
    path("customers/<code_name:name>/invoices/", customers.invoices, name="customer_invoices"),
    path("customers/<code_name:name>/payments/", customer_payments.payments, name="customer_payments"),
    *[
        path(f"customers/<code_name:name>/payments/{address}/", view, name=view_name)
        for address, view, view_name in (
            ("generate", customer_payments.generate, "generate_stripe_customer"),
            ("link", customer_payments.link, "link_stripe_customer"),
            ("unlink", customer_payments.unlink, "unlink_stripe_customer"),
            ("send", customer_payments.send, "send_to_stripe"),
            ("card-link", customer_payments.make_card_link, "make_card_link"),
            ("portal-link", customer_payments.make_portal_link, "make_portal_link"),
            ("methods/<slug:method>/default", customer_payments.choose_default, "choose_payment_method"),
            ("methods/<slug:method>/remove", customer_payments.remove, "remove_payment_method"),
        )
    ],
    path("customers/<code_name:name>/billing-settings/", customers.billing_settings, name="customer_settings"),
    path("customers/<code_name:name>/billing-settings/preview/", customers.preview_override, name="preview_override"),
    path("customers/<code_name:name>/activity/", customers.activity, name="customer_activity"),
    path("meters/", meters.meter_list, name="meters"),
    path("meters/new/", meters.new_meter, name="new_meter"),
    path("meters/by-name/<code_name:name>/", meters.meter_page, name="meter"),
    path("meters/by-name/<code_name:name>/archive/", meters.archive, name="archive_meter"),
    path("price-plans/", price_plans.plan_list, name="price_plans"),
    path("price-plans/new/", price_plans.new_plan, name="new_price_plan"),
    path("price-plans/new/preview/", price_plans.preview_new, name="preview_new_price_plan"),
    path("price-plans/by-name/<code_name:name>/", price_plans.plan_page, name="price_plan"),
    path("price-plans/by-name/<code_name:name>/archive/", price_plans.archive, name="archive_price_plan"),
    path("unattributed-usage/", unattributed.unattributed_list, name="unattributed"),
    path("settings/invoicing-payments/", billing_settings.billing_settings, name="billing_settings"),
    path("settings/invoicing-payments/preview/", billing_settings.preview_settings, name="preview_settings"),
    path("settings/invoicing-payments/next-number/", billing_settings.set_next_number, name="set_next_number"),
    path("api-keys/", api_keys.key_list, name="api_keys"),
    path("api-keys/<uuid:uuid>/roll/", api_keys.roll, name="roll_api_key"),
    path("api-keys/<uuid:uuid>/revoke/", api_keys.revoke, name="revoke_api_key"),
    path("reconciliation/", reconciliation.overview, name="reconciliation"),
    path("reconciliation/compare/", reconciliation.compare, name="start_reconciliation"),
    path("reconciliation/repair/", reconciliation.repair_all, name="repair_differences"),
    path("reconciliation/differences/<int:pk>/repair/", reconciliation.repair_one, name="repair_difference"),
    path("reconciliation/<int:pk>/", reconciliation.run_page, name="reconciliation_run"),
    path("stripe-events/", stripe_events.event_list, name="stripe_events"),
    path("stripe-events/replay/", stripe_events.replay_failed, name="replay_failed_stripe_events"),
    path("stripe-events/<int:pk>/", stripe_events.event_page, name="stripe_event"),
    path("stripe-events/<int:pk>/replay/", stripe_events.replay, name="replay_stripe_event"),
    path("stripe-events/<int:pk>/set-aside/", stripe_events.set_aside, name="set_aside_stripe_event"),
    path("settings/invoicing-payments/test-connection/", stripe_connection.try_connection, name="test_connection"),
    path(f"{STRIPE}<stripe_mode:mode>/test/", stripe_connection.try_connection, name="test_stripe_connection"),
    path(f"{STRIPE}<stripe_mode:mode>/connect/", stripe_oauth.start, name="stripe_connect"),
    path(f"{STRIPE}<stripe_mode:mode>/disconnect/", stripe_connection.disconnect, name="stripe_disconnect"),
    path(f"{STRIPE}<stripe_mode:mode>/use/", stripe_connection.switch, name="stripe_switch"),
    path(f"{STRIPE}<stripe_mode:mode>/keys/", stripe_keys.own_keys, name="stripe_keys"),
    path(f"{STRIPE}<stripe_mode:mode>/endpoint/", stripe_connection.register_endpoint, name="stripe_endpoint"),
    path(f"{STRIPE}callback/", stripe_oauth.callback, name="stripe_callback"),
    path("settings/test-clock/", test_clock.test_clock, name="test_clock"),
]
