from django.apps import AppConfig


class CustomersConfig(AppConfig):
    name = "customers"

    def ready(self) -> None:
        from customers.clock import register
        from customers.events.clock import EventsClock

        register(EventsClock())
