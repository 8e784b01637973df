"""Minimum charges for several billing cycles: what the earlier cycles of such a span came to.

They are rated anew, with what is known now and as if all of them had been billed at their end, so that it does not
matter which of their invoices exist, were voided or are still to come.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from django.db.models import Q

from invoicing.rating.bill import bill_cycle
from invoicing.rating.minimums import NOTHING_EARLIER, Earlier, counted
from invoicing.rating.terms import PlanTerms, RatedLine
from invoicing.subscriptions.cycles import CycleRule
from invoicing.subscriptions.discounts import discounts_of
from invoicing.subscriptions.models import BillingCycle
from invoicing.subscriptions.rules import cycle_rule, ends_span
from invoicing.subscriptions.terms import terms_for, usage_windows, used_in
from invoicing.usage.aggregation import usage_of

Lines = dict[tuple[int, int], list[RatedLine]]


def earlier_of(cycles: Collection[BillingCycle], terms: Mapping[int, PlanTerms]) -> dict[int, Earlier]:
    """By cycle; nothing for those that end no such span. The same few queries for any number, or none."""
    first = {cycle.pk: _first_needed(cycle, terms[cycle.pk]) for cycle in cycles}
    wanted = [cycle for cycle in cycles if first[cycle.pk] < cycle.index]
    if not wanted:
        return {}
    lines = _rated(_cycles_before(wanted, first))
    return {cycle.pk: _earlier(cycle, terms[cycle.pk], lines) for cycle in wanted}


def _several(terms: PlanTerms) -> set[int]:
    """The lengths of the minimum charges that are for more than one cycle."""
    charges = [(terms.minimum_charge, terms.minimum_frequency)]
    charges += [(part.minimum_charge, part.minimum_frequency) for part in terms.components]
    return {every for charge, every in charges if charge and every > 1}


def _first_needed(cycle: BillingCycle, terms: PlanTerms) -> int:
    """The number of the earliest cycle that counts: those of the spans that end here, and what these stand on."""
    spans = _several(terms)
    rule = cycle_rule(cycle.subscription, cycle.vendor.zone) if spans else None
    first = index = cycle.index
    while rule is not None and index >= first:
        for every in spans:
            start, last = rule.span(index, every)
            if index == last or index == cycle.index and ends_span(cycle, rule, every):
                first = min(first, start)
        index -= 1
    return first


@dataclass(frozen=True, slots=True)
class _Range:
    subscription_id: int
    first: int
    before: int


def _cycles_before(cycles: Iterable[BillingCycle], first: Mapping[int, int]) -> list[BillingCycle]:
    wanted = Q(pk__in=[])
    for one in {_Range(cycle.subscription_id, first[cycle.pk], cycle.index) for cycle in cycles}:
        wanted |= Q(subscription=one.subscription_id, index__gte=one.first, index__lt=one.before)
    rows = BillingCycle.objects.filter(wanted).select_related("vendor", "subscription__price_plan")
    return list(rows.order_by("index"))


def _rated(cycles: Collection[BillingCycle]) -> Lines:
    terms, discounts = terms_for(cycles), discounts_of(cycles)
    usage = usage_of([window for cycle in cycles for window in usage_windows(cycle, terms[cycle.pk])])
    found: Lines = {}
    for cycle in cycles:
        found[cycle.subscription_id, cycle.index] = bill_cycle(
            terms[cycle.pk],
            used_in(cycle, terms[cycle.pk], usage),
            cycle.start,
            cycle.end,
            discounts=discounts[cycle.pk],
            earlier=_earlier(cycle, terms[cycle.pk], found),
        )
    return found


def _earlier(cycle: BillingCycle, terms: PlanTerms, lines: Lines) -> Earlier:
    rule = cycle_rule(cycle.subscription, cycle.vendor.zone)
    components = {
        part.uuid: sum(counted(one, part.uuid) for one in _span(cycle, rule, part.minimum_frequency, lines))
        for part in terms.components
        if part.minimum_charge and part.minimum_frequency > 1
    }
    plan = sum(counted(one) for one in _span(cycle, rule, terms.minimum_frequency, lines))
    return Earlier(components, plan) if components or plan else NOTHING_EARLIER


def _span(cycle: BillingCycle, rule: CycleRule, every: int, lines: Lines) -> list[list[RatedLine]]:
    """Those before the cycle in its span."""
    numbers = range(rule.span(cycle.index, every)[0], cycle.index)
    return [lines.get((cycle.subscription_id, index), []) for index in numbers]
