from django.urls import path

from payments.stripe.api.customer_portal import PortalMethodStatusView, PortalMethodView, PortalSetupIntentView
from payments.stripe.api.payment_methods import (
    CardLinkView,
    DefaultPaymentMethodView,
    PaymentMethodsView,
    PaymentMethodView,
    PortalLinkView,
    SetupIntentView,
)
from payments.stripe.api.views import (
    CustomerCredentialView,
    GenerateCounterpartView,
    PaymentMethodStatusView,
    SyncView,
    VendorCredentialView,
)

_CUSTOMER = "customers/<str:name>"

urlpatterns = [
    path(
        f"{_CUSTOMER}/payment_gateway_credentials",
        CustomerCredentialView.as_view(),
        name="customer-payment-gateway-credentials",
    ),
    path(
        f"{_CUSTOMER}/payment_gateway_credentials/generation",
        GenerateCounterpartView.as_view(),
        name="customer-payment-gateway-generation",
    ),
    path(
        f"{_CUSTOMER}/payment_gateway_credentials/sync",
        SyncView.as_view(),
        name="customer-payment-gateway-sync",
    ),
    path(
        f"{_CUSTOMER}/payment_method_status", PaymentMethodStatusView.as_view(), name="customer-payment-method-status"
    ),
    path(f"{_CUSTOMER}/payment_methods", PaymentMethodsView.as_view(), name="customer-payment-methods"),
    path(f"{_CUSTOMER}/payment_methods/<str:method>", PaymentMethodView.as_view(), name="customer-payment-method"),
    path(
        f"{_CUSTOMER}/payment_methods/<str:method>/default",
        DefaultPaymentMethodView.as_view(),
        name="customer-payment-method-default",
    ),
    path(f"{_CUSTOMER}/setup_intent", SetupIntentView.as_view(), name="customer-setup-intent"),
    path(f"{_CUSTOMER}/payment_method_link", CardLinkView.as_view(), name="customer-payment-method-link"),
    path(f"{_CUSTOMER}/billing_portal_link", PortalLinkView.as_view(), name="customer-billing-portal-link"),
    path("ecp/payment_method", PortalMethodView.as_view(), name="customer-portal-payment-method"),
    path("ecp/payment_method_status", PortalMethodStatusView.as_view(), name="customer-portal-payment-method-status"),
    path("ecp/setup_intent", PortalSetupIntentView.as_view(), name="customer-portal-setup-intent"),
    path("payment_gateway_credentials", VendorCredentialView.as_view(), name="payment-gateway-credentials"),
]
