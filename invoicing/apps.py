from django.apps import AppConfig


class InvoicingConfig(AppConfig):
    name = "invoicing"

    def ready(self) -> None:
        """Take part in what happens in the rooms below (``docs/architecture.md`` lists the hooks)."""
        import customers.hooks
        import invoicing.catalog.hooks
        from invoicing.subscriptions.advance import reschedule
        from invoicing.usage.intake import attribute_pending

        customers.hooks.on_attribution_changed.append(attribute_pending)
        invoicing.catalog.hooks.on_meter_created.append(attribute_pending)
        customers.hooks.on_policy_changed.append(reschedule)
