from django.apps import AppConfig


class ListsConfig(AppConfig):
    name = "billing_portal.lists"
    label = "lists"

    def ready(self) -> None:
        from billing_portal.lists import erasing
        from customers import hooks

        hooks.on_customer_erased.append(erasing.forget)
