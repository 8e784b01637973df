from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"

    def ready(self) -> None:
        from customers import clock, hooks
        from payments.stripe import customer_sync, erasing
        from payments.stripe.clock import StripeClock

        clock.register(StripeClock())
        hooks.on_customer_changed.append(customer_sync.customer_changed)
        hooks.on_customer_erased.append(erasing.forget)
        hooks.on_customer_deleting.append(erasing.hold)
