from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from customers.customer import Customer
    from customers.vendor import Vendor


class InvoicingConfig(AppConfig):
    name = "invoicing"

    def ready(self) -> None:
        """Take part in what happens in the rooms below (``docs/architecture.md`` lists the hooks)."""
        import customers.hooks
        import invoicing.catalog.hooks
        from customers import clock
        from invoicing.clock import InvoicingClock
        from invoicing.subscriptions.usage_limits import note_component
        from invoicing.usage.intake import attribute_pending

        customers.hooks.on_attribution_changed.append(attribute_pending)
        invoicing.catalog.hooks.on_meter_created.append(attribute_pending)
        invoicing.catalog.hooks.on_limits_changed.append(note_component)
        customers.hooks.on_policy_changed.append(reschedule)
        customers.hooks.on_customer_erased.append(forget_customer)
        clock.register(InvoicingClock())


def reschedule(vendor: Vendor, customer: Customer | None, *, now: datetime, real_now: datetime) -> int:
    """Billing settings were saved: what is not issued yet moves. Answers how many invoices moved."""
    from invoicing.invoices import logos, reminders
    from invoicing.invoices.reschedule import reschedule_invoices
    from invoicing.subscriptions import advance

    logos.fetch_after_commit(vendor, customer)
    reminders.replan(vendor, customer, now=now)
    # Invoices before billing cycles, as everywhere (docs/concurrency.md).
    return reschedule_invoices(vendor, customer, real_now=real_now) + advance.reschedule(vendor, customer)


def forget_customer(customer: Customer, was: str, *, real_now: datetime) -> Sequence[str]:
    from invoicing.invoices.erasing import forget

    return forget(customer, was, real_now=real_now)
