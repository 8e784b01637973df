from django.apps import AppConfig


class SandboxConfig(AppConfig):
    name = "payments.sandbox"
    label = "sandbox"
    verbose_name = "Stripe sandbox"

    def ready(self) -> None:
        """Endpoints and scheduled work are known in every process: a worker that moves the clock
        settles without ever serving a request."""
        from django.db.models.signals import post_save

        from customers import clock
        from payments.sandbox import resources
        from payments.sandbox.participant import SandboxClock, follow_on_connecting
        from payments.stripe.models import StripeConnection

        resources.load()
        # After the payments' own participant, so that it sees the webhooks which the sandbox sends.
        clock.register(SandboxClock())
        post_save.connect(follow_on_connecting, sender=StripeConnection, dispatch_uid="sandbox-follows")
