"""Usage that came after an invoice was generated: what its lines were rated from, against what there is now.

An invoice that is not issued yet can be generated again (``regeneration.py``). Of one that is, nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from invoicing.invoices.models import Invoice, LineItem
from invoicing.subscriptions.models import BillingCycle
from invoicing.subscriptions.terms import terms_for, usage_windows
from invoicing.usage.aggregation import usage_of
from invoicing.usage.values import Usage


@dataclass(frozen=True, slots=True)
class LateUsage:
    """``billed`` is what the invoice was rated from, ``used`` what there is now; ``measurements`` is how many more."""

    meter_name: str
    name: str
    unit: str
    billed: Decimal
    used: Decimal
    measurements: int
    last: datetime | None

    @property
    def more(self) -> Decimal:
        return self.used - self.billed


def late_usage(invoice: Invoice) -> list[LateUsage]:
    """One for each metered component whose usage differs, in the plan's order. As many queries for any usage."""
    if invoice.cycle_id is None:
        return []
    rows = BillingCycle.objects.select_related("vendor", "subscription__price_plan")
    cycle = rows.get(pk=invoice.cycle_id)
    terms = terms_for([cycle])[cycle.pk]
    usage = usage_of(usage_windows(cycle, terms))
    billed = _billed(invoice)
    return [
        LateUsage(part.meter_name, part.name, part.unit_name, quantity, now.quantity, now.count - count, now.last)
        for part in terms.components
        if part.uuid in billed
        for now, (quantity, count) in [(usage[cycle.pk, part.key], billed[part.uuid])]
        if _is_late(now, quantity, count)
    ]


def _is_late(now: Usage, quantity: Decimal, count: int) -> bool:
    """Fewer measurements than there were: old ones were dropped, and nothing can be said."""
    return now.count >= count and (now.quantity, now.count) != (quantity, count)


def _billed(invoice: Invoice) -> dict[str, tuple[Decimal, int]]:
    """By component, what was measured and how often. A price list has several lines for one."""
    found: dict[str, tuple[Decimal, int]] = {}
    for said in _evidence(invoice.line_items.filter(in_advance=False).defer(None)):
        quantity, count = found.get(said["metered_component_uuid"], (Decimal(0), 0))
        more = Decimal(said["measured"]), said["measurements"]
        found[said["metered_component_uuid"]] = quantity + more[0], count + more[1]
    return found


def _evidence(lines: Iterable[LineItem]) -> Iterable[Mapping[str, Any]]:
    """Of each line that was rated, also where a minimum charge stands in its place. What was partly billed in advance
    stands for other lines and tells nothing."""
    for line in lines:
        for said in (line.metadata, *(kept["metadata"] for kept in line.explanation.get("lines", ()))):
            if "measured" in said and "billed_in_advance" not in said:
                yield said
