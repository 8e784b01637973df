from django.apps import AppConfig


class SandboxConfig(AppConfig):
    name = "payments.sandbox"
    label = "sandbox"
    verbose_name = "Stripe sandbox"

    def ready(self) -> None:
        """Endpoints and scheduled work are known in every process: a worker that moves the clock
        settles without ever serving a request."""
        from payments.sandbox import resources

        resources.load()
