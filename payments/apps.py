from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"

    def ready(self) -> None:
        from customers import clock
        from payments.stripe.clock import StripeClock

        clock.register(StripeClock())
