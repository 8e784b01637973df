"""Gathers the models of the rooms below, where Django looks for them."""

from payments.reconcile.models import Difference, EventCursor, ImportedInvoice, ReconciliationRun, SeenInvoice, Watch
from payments.stripe.models import (
    StripeConnection,
    StripeCustomer,
    StripeEvent,
    StripePaymentMethod,
    StripeTaxRate,
    StripeWebhookSecret,
    WebhookTally,
)

__all__ = [
    "Difference",
    "EventCursor",
    "ImportedInvoice",
    "ReconciliationRun",
    "SeenInvoice",
    "StripeConnection",
    "StripeCustomer",
    "StripeEvent",
    "StripePaymentMethod",
    "StripeTaxRate",
    "StripeWebhookSecret",
    "Watch",
    "WebhookTally",
]
