"""Gathers the models of the rooms below, where Django looks for them."""

from payments.stripe.models import (
    StripeConnection,
    StripeCustomer,
    StripeEvent,
    StripePaymentMethod,
    StripeWebhookSecret,
    WebhookTally,
)

__all__ = [
    "StripeConnection",
    "StripeCustomer",
    "StripeEvent",
    "StripePaymentMethod",
    "StripeWebhookSecret",
    "WebhookTally",
]
