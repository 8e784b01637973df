"""What a customer's billing cycles have come to, spread over time.

The cost of a bucket is what the cycle's lines came to at its end, less what they came to at its start. So the
buckets of a cycle always add up to the cycle, under every price scheme: a cheaper tier or a correction can make
a bucket negative. Fixed items count in full in the bucket in which their cycle begins,
ad-hoc charges in that of their time; whether a minimum charge is due is only known when the cycle ends.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from django.db.models import QuerySet

from customers.customer import Customer
from invoicing.catalog.models import PricePlan
from invoicing.rating.discounts import DiscountTerms, discount_lines
from invoicing.rating.rate import rate_cycle
from invoicing.rating.terms import LineKind, PlanTerms, RatedLine
from invoicing.subscriptions.discounts import discounts_of
from invoicing.subscriptions.models import AdhocCharge, BillingCycle
from invoicing.subscriptions.terms import component_window, terms_for, windows_before, with_before
from invoicing.usage.aggregation import usage_of
from invoicing.usage.values import Usage, Window

AccruedKey = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class AccruedItem:
    """``id`` is that of the component (of the plan, for its base price), ``identifier`` the code name. ``labels`` are
    those of a line of a price list."""

    kind: str
    id: str
    identifier: str
    display_name: str
    unit: str
    usage: Decimal
    amount: int
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> AccruedKey:
        return self.id, self.labels


@dataclass(frozen=True, slots=True)
class AccruedBucket:
    start: datetime
    end: datetime
    items: tuple[AccruedItem, ...]

    @property
    def total(self) -> int:
        return sum(item.amount for item in self.items)


def accrued(customer: Customer, edges: Sequence[datetime]) -> list[AccruedBucket]:
    """One bucket between each two ``edges``. As many queries for a month of hours as for one."""
    cycles = list(_cycles(customer, edges[0], edges[-1]))
    terms = terms_for(cycles)
    usage = usage_of([window for cycle in cycles for window in _windows(cycle, terms[cycle.pk], edges)])
    discounts = discounts_of(cycles)
    states = {cycle.pk: _states(cycle, terms[cycle.pk], usage, discounts[cycle.pk], edges) for cycle in cycles}
    charges = list(_charges(customer, edges[0], edges[-1]))
    buckets = []
    for start, end in pairwise(edges):
        grown: dict[AccruedKey, AccruedItem] = {}
        for cycle in cycles:
            if part := _part(cycle, start, end):
                _add_growth(grown, states[cycle.pk][part[0]], states[cycle.pk][part[1]])
        charged = (_charge(charge) for charge in charges if start <= charge.charge_time < end)
        _add_growth(grown, (), tuple(charged))
        buckets.append(AccruedBucket(start, end, tuple(grown.values())))
    return buckets


def _cycles(customer: Customer, start: datetime, end: datetime) -> QuerySet[BillingCycle]:
    rows = BillingCycle.objects.of(customer.vendor).filter(customer=customer, start__lt=end, end__gt=start)
    return rows.select_related("vendor", "subscription__price_plan").order_by("start")


def _charges(customer: Customer, start: datetime, end: datetime) -> QuerySet[AdhocCharge]:
    rows = AdhocCharge.objects.of(customer.vendor).filter(customer=customer)
    return rows.filter(charge_time__gte=start, charge_time__lt=end).order_by("charge_time", "pk")


def _charge(charge: AdhocCharge) -> AccruedItem:
    return AccruedItem(
        kind=LineKind.ADHOC_CHARGE,
        id=str(charge.uuid),
        identifier=charge.item_name,
        display_name=charge.label,
        unit="",
        usage=charge.quantity,
        amount=charge.total_price,
    )


def _part(cycle: BillingCycle, start: datetime, end: datetime) -> tuple[datetime, datetime] | None:
    """What of a bucket lies in the cycle."""
    start, end = max(start, cycle.start), min(end, cycle.end)
    return (start, end) if start < end else None


def _moments(cycle: BillingCycle, edges: Sequence[datetime]) -> list[datetime]:
    parts = (_part(cycle, start, end) for start, end in pairwise(edges))
    return sorted({moment for part in parts if part for moment in part})


def _windows(cycle: BillingCycle, terms: PlanTerms, edges: Sequence[datetime]) -> Iterator[Window]:
    """From the cycle's start to each moment at which its state is wanted, and what came before in the same tiers."""
    yield from windows_before(cycle, terms)
    for moment in _moments(cycle, edges):
        for part in terms.components:
            yield component_window((cycle.pk, part.key, moment), cycle, part, moment)


def _states(
    cycle: BillingCycle,
    terms: PlanTerms,
    usage: Mapping[Hashable, Usage],
    discounts: Sequence[DiscountTerms],
    edges: Sequence[datetime],
) -> dict[datetime, list[AccruedItem]]:
    """What the cycle had come to at each moment; at its very start, nothing."""
    found: dict[datetime, list[AccruedItem]] = {}
    for moment in _moments(cycle, edges):
        used = {
            part.key: with_before(cycle, part, usage[cycle.pk, part.key, moment], usage) for part in terms.components
        }
        lines = rate_cycle(terms, used, cycle.start, cycle.end) if moment > cycle.start else []
        lines += discount_lines(lines, discounts if lines else (), terms, cycle.start, cycle.end)
        found[moment] = [_item(line, cycle) for line in lines]
    return found


def _item(line: RatedLine, cycle: BillingCycle) -> AccruedItem:
    plan = cycle.subscription.price_plan
    return AccruedItem(
        kind=line.kind,
        id=_id(line) or str(plan.external_uuid),
        identifier=line.metadata.get("scope") or line.metadata.get("meter_name") or _named(line, plan),
        display_name=line.name,
        unit=line.quantity_unit,
        usage=line.quantity or Decimal(0),
        amount=line.amount,
        labels=tuple(line.metadata.get("labels", {}).items()),
    )


def _id(line: RatedLine) -> str:
    said = line.metadata
    return str(said.get("discount_uuid") or said.get("add_on_uuid") or said.get("metered_component_uuid") or "")


def _named(line: RatedLine, plan: PricePlan) -> str:
    return line.name if line.kind == LineKind.ADD_ON else plan.name


def _add_growth(
    grown: dict[AccruedKey, AccruedItem], before: Sequence[AccruedItem], after: Sequence[AccruedItem]
) -> None:
    earlier = {item.key: item for item in before}
    for item in after:
        old, so_far = earlier.get(item.key), grown.get(item.key)
        grown[item.key] = replace(
            item,
            usage=item.usage - (old.usage if old else 0) + (so_far.usage if so_far else 0),
            amount=item.amount - (old.amount if old else 0) + (so_far.amount if so_far else 0),
        )
