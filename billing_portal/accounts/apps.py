from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "billing_portal.accounts"
    verbose_name = "operators and API keys"

    def ready(self) -> None:
        from billing_portal.accounts import idle  # noqa: F401 - it listens
