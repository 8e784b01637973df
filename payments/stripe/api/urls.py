from django.urls import path

from payments.stripe.api.views import CustomerCredentialView, PaymentMethodStatusView, VendorCredentialView

urlpatterns = [
    path(
        "customers/<str:name>/payment_gateway_credentials",
        CustomerCredentialView.as_view(),
        name="customer-payment-gateway-credentials",
    ),
    path(
        "customers/<str:name>/payment_method_status",
        PaymentMethodStatusView.as_view(),
        name="customer-payment-method-status",
    ),
    path("payment_gateway_credentials", VendorCredentialView.as_view(), name="payment-gateway-credentials"),
]
