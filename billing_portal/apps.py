from django.apps import AppConfig


class BillingPortalConfig(AppConfig):
    name = "billing_portal"
