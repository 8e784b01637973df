"""The billing cycle a subscription is in, and what was used in it so far."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from invoicing.subscriptions.models import BillingCycle, Subscription
from invoicing.subscriptions.terms import terms_for, usage_windows
from invoicing.usage.aggregation import usage_of


@dataclass(frozen=True)
class UsageLine:
    """One metered component of the plan, by the name its line will have on the invoice."""

    label: str
    meter: str
    quantity: Decimal
    unit: str


def cycle_at(subscription: Subscription | None, now: datetime) -> BillingCycle | None:
    if subscription is None:
        return None
    cycles = subscription.cycles.select_related("vendor", "customer__vendor", "subscription__price_plan")
    return cycles.filter(start__lte=now, end__gt=now).first()


def usage_in(cycle: BillingCycle | None, now: datetime) -> list[UsageLine]:
    """As the invoice would count it if the cycle ended now."""
    if cycle is None:
        return []
    terms = terms_for([cycle])[cycle.pk]
    usage = usage_of(usage_windows(cycle, terms, now))
    return [
        UsageLine(component.name, component.meter_name, usage[cycle.pk, component.key].quantity, component.unit_name)
        for component in terms.components
    ]
