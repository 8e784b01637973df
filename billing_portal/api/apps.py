from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "billing_portal.api"
    label = "api"

    def ready(self) -> None:
        # Importing it registers how API keys are documented.
        from billing_portal.api import schema  # noqa: F401
