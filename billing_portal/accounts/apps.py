from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "billing_portal.accounts"
    verbose_name = "operators and API keys"
