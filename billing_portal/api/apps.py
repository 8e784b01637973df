from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "billing_portal.api"
    label = "api"

    def ready(self) -> None:
        # Importing schema registers how API keys are documented.
        from billing_portal.api import schema  # noqa: F401
        from billing_portal.api.idempotency import answer_once, once
        from customers.api.base import step_guards, write_guards

        write_guards.append(answer_once)
        step_guards.append(once)
