"""The lines that billing cycles are invoiced by, for any number of cycles with the same few queries."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from customers.settings.policy import BillingPolicy
from invoicing.invoices.charges import charges_of
from invoicing.rating.bill import bill_cycle
from invoicing.rating.terms import RatedLine
from invoicing.subscriptions.discounts import discounts_of
from invoicing.subscriptions.models import BillingCycle
from invoicing.subscriptions.terms import terms_for, usage_windows
from invoicing.usage.aggregation import usage_of


def rated_lines(
    cycles: Collection[BillingCycle],
    policies: Mapping[int, BillingPolicy],
    *,
    until: datetime | None = None,
    lock: bool = False,
) -> dict[int, list[RatedLine]]:
    """By the cycle's id. ``policies`` are by customer; ``until`` leaves out what was used from then on. ``lock``
    keeps the ad-hoc charges from being called off meanwhile.

    ``cycles`` come with ``vendor`` and ``subscription__price_plan`` loaded.
    """
    terms = terms_for(cycles)
    windows = [window for cycle in cycles for window in usage_windows(cycle, terms[cycle.pk], until)]
    usage = usage_of(windows)
    discounts, charges = discounts_of(cycles), charges_of(cycles, lock=lock)
    lines = {}
    for cycle in cycles:
        plan = terms[cycle.pk]
        lines[cycle.pk] = bill_cycle(
            plan,
            {part.key: usage[cycle.pk, part.key] for part in plan.components},
            cycle.start,
            cycle.end,
            discounts=discounts[cycle.pk],
            charges=charges[cycle.pk],
            minimum_replaces=policies[cycle.customer_id].should_minimum_charge_override_line_items,
        )
    return lines
