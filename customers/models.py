"""Gathers the models of the rooms below, where Django looks for them."""

from customers.customer import Customer, CustomerMetadata, MeasurementMapping
from customers.events.models import Event, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from customers.settings.models import BillingSettings, BillingSettingsOverride
from customers.vendor import Vendor

__all__ = [
    "BillingSettings",
    "BillingSettingsOverride",
    "Customer",
    "CustomerMetadata",
    "Event",
    "MeasurementMapping",
    "Vendor",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
]
