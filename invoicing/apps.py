from django.apps import AppConfig


class InvoicingConfig(AppConfig):
    name = "invoicing"

    def ready(self) -> None:
        from customers.clock import register
        from invoicing.clock import InvoicingClock

        register(InvoicingClock())
