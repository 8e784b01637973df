from django.apps import AppConfig


class SandboxConfig(AppConfig):
    name = "payments.sandbox"
    label = "sandbox"
    verbose_name = "Stripe sandbox"

    def ready(self) -> None:
        from django.db.models.signals import post_save

        from customers import clock
        from payments.sandbox.participant import SandboxClock, follow_on_connecting
        from payments.stripe.models import StripeConnection

        # After the payments' own participant, so that it sees the webhooks which the sandbox sends.
        clock.register(SandboxClock())
        post_save.connect(follow_on_connecting, sender=StripeConnection, dispatch_uid="sandbox-follows")
