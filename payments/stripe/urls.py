from django.urls import path

from payments.stripe import return_pages
from payments.stripe.webhooks import stripe_webhook

urlpatterns = [
    path("webhooks/stripe/", stripe_webhook, name="stripe-webhook"),
    path("payment-method/saved/", return_pages.saved, name="payment-method-saved"),
    path("payment-method/done/", return_pages.unchanged, name="payment-method-unchanged"),
]
