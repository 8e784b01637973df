"""Billing in advance: which cycles an invoice opens, with which lines, and what was billed of a cycle that way."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from django.db.models import Q

from customers.settings.policy import BillingPolicy
from invoicing.invoices.models import LineItem
from invoicing.invoices.states import InvoiceStatus
from invoicing.rating.ahead import Ahead, AheadLine, open_cycle
from invoicing.rating.terms import ComponentTerms, LineKind, PlanTerms, RatedLine
from invoicing.subscriptions.discounts import discounts_of
from invoicing.subscriptions.models import BillingCycle, CycleAction
from invoicing.subscriptions.rules import cycle_rule, planned_cycle
from invoicing.subscriptions.terms import held, level_windows, opening_share, planned_share, terms_for
from invoicing.usage.aggregation import usage_of
from invoicing.usage.values import Usage


def successors_of(
    cycles: Collection[BillingCycle], policies: Mapping[int, BillingPolicy], *, planned: bool = False
) -> dict[int, BillingCycle]:
    """By cycle: the one that its invoice bills in advance, where the settings say so. One query, or none.

    It is the next of the subscription, or the first of that which replaced it; one that was opened or invoiced already
    is left alone. ``planned``: cycles that are still to be made count too, with ids of their own.
    """
    billed = [cycle for cycle in cycles if policies[cycle.customer_id].invoice_fixed_components_at_start]
    if not billed:
        return {}
    subscriptions, ends = {cycle.subscription_id for cycle in billed}, {cycle.end for cycle in billed}
    rows = BillingCycle.objects.filter(
        Q(subscription__in=subscriptions) | Q(subscription__follows__in=subscriptions), start__in=ends
    ).select_related("vendor", "subscription__price_plan")
    next_ones = list(rows)
    found = {cycle.pk: _next(cycle, next_ones, planned=planned) for cycle in billed}
    return {pk: one for pk, one in found.items() if one and _may_open(one, by=pk)}


def _next(cycle: BillingCycle, rows: Iterable[BillingCycle], *, planned: bool) -> BillingCycle | None:
    for one in rows:
        same = one.subscription_id == cycle.subscription_id and one.index == cycle.index + 1
        if same or one.subscription.follows_id == cycle.subscription_id and one.index == 0 and one.start == cycle.end:
            return one
    expires = cycle.subscription.expired_at
    if not planned or expires is not None and expires <= cycle.end:
        return None
    one = planned_cycle(cycle.subscription, cycle.vendor.zone, cycle.index + 1, start=cycle.end)
    # Not a row yet: its own, negative id keeps what is loaded for it apart.
    one.pk, one.vendor = -cycle.pk, cycle.vendor
    return one


def _may_open(cycle: BillingCycle, *, by: int) -> bool:
    if cycle_rule(cycle.subscription, cycle.vendor.zone).is_trial(cycle.index):
        return False
    return not cycle.opened and cycle.next_action in (CycleAction.END, CycleAction.GENERATE)


def opening_lines(
    cycles: Collection[BillingCycle], policies: Mapping[int, BillingPolicy], *, at: datetime | None = None
) -> dict[int, list[RatedLine]]:
    """By cycle; none where the settings say that nothing is billed in advance. ``at``: the levels of that moment, where
    the cycle has not begun."""
    terms = {pk: _without_usage(one) for pk, one in terms_for(cycles, in_advance=True).items()} if cycles else {}
    shares = {cycle.pk: opening_share(terms[cycle.pk], cycle) for cycle in cycles}
    levels = _levels(cycles, terms, policies, at)
    discounts = discounts_of(cycles) if cycles else {}
    return {
        cycle.pk: open_cycle(
            replace(terms[cycle.pk], base_share=shares[cycle.pk]),
            {part.key: held(cycle, part, level) for part, level in levels.get(cycle.pk, ())},
            cycle.start,
            cycle.end,
            discounts=discounts[cycle.pk],
        )
        if policies[cycle.customer_id].invoice_fixed_components_at_start
        else []
        for cycle in cycles
    }


def _without_usage(terms: PlanTerms) -> PlanTerms:
    """Levels are left, except where cycles climb the tiers together: what comes to which tier is known at the end."""
    return replace(terms, components=tuple(part for part in terms.components if part.is_level and part.frequency == 1))


def _levels(
    cycles: Iterable[BillingCycle],
    terms: Mapping[int, PlanTerms],
    policies: Mapping[int, BillingPolicy],
    at: datetime | None,
) -> dict[int, list[tuple[ComponentTerms, Usage]]]:
    metered = [cycle for cycle in cycles if policies[cycle.customer_id].invoice_metered_components_at_start]
    moments = {cycle.pk: min(at, cycle.start) if at else cycle.start for cycle in metered}
    windows = [one for cycle in metered for one in level_windows(cycle, terms[cycle.pk], moments[cycle.pk])]
    found = usage_of(windows) if windows else {}
    return {
        cycle.pk: [(part, found[cycle.pk, part.key, "level"]) for part in terms[cycle.pk].components]
        for cycle in metered
    }


def ahead_of(
    cycles: Collection[BillingCycle],
    policies: Mapping[int, BillingPolicy],
    just_opened: Mapping[int, list[RatedLine]],
) -> dict[int, Ahead]:
    """By cycle, what was billed of it in advance: by invoices that exist (one query, or none), or just now."""
    kept = _kept_lines(cycles)
    found = {}
    for cycle in cycles:
        lines = [(one, False) for one in map(_ahead_line, just_opened.get(cycle.pk, ()))] or kept.get(
            (cycle.subscription_id, cycle.index), []
        )
        lines = _with_base_price(cycle, lines, kept)
        if lines:
            found[cycle.pk] = Ahead(
                tuple(line for line, _ in lines),
                used=planned_share(cycle),
                trues_up=policies[cycle.customer_id].invoice_overages,
                forgiven=any(voided for _, voided in lines),
            )
    return found


_Kept = dict[tuple[int, int], list[tuple[AheadLine, bool]]]


def _with_base_price(
    cycle: BillingCycle, lines: list[tuple[AheadLine, bool]], kept: _Kept
) -> list[tuple[AheadLine, bool]]:
    """A base price for several cycles is compared in the last of them, or the one in which all ends."""
    every = cycle.subscription.price_plan.base_price_frequency
    if every == 1:
        return lines
    rule = cycle_rule(cycle.subscription, cycle.vendor.zone)
    first, last = rule.span(cycle.index, every)
    others = [pair for pair in lines if pair[0].kind != LineKind.BASE_PRICE]
    if cycle.index != last and cycle.end != cycle.subscription.expired_at:
        return others
    of_span = lines if cycle.index == first else kept.get((cycle.subscription_id, first), [])
    return [*others, *(pair for pair in of_span if pair[0].kind == LineKind.BASE_PRICE)]


def _kept_lines(cycles: Collection[BillingCycle]) -> _Kept:
    opened = [cycle.pk for cycle in cycles if cycle.opened]
    spans = {c.subscription_id for c in cycles if c.subscription.price_plan.base_price_frequency > 1}
    if not opened and not spans:
        return {}
    rows = LineItem.objects.filter(in_advance=True).filter(
        Q(invoice__opens__in=opened) | Q(invoice__opens__subscription__in=spans, kind=LineKind.BASE_PRICE)
    )
    found: _Kept = {}
    for line in rows.select_related("invoice__opens"):
        opens = line.invoice.opens
        if opens is not None:
            voided = line.invoice.status == InvoiceStatus.VOIDED
            found.setdefault((opens.subscription_id, opens.index), []).append((_ahead_line(line), voided))
    return found


def _ahead_line(line: RatedLine | LineItem) -> AheadLine:
    return AheadLine(line.kind, line.amount, line.metadata)


def with_more(ahead: Ahead, lines: Iterable[RatedLine]) -> Ahead:
    return replace(ahead, lines=(*ahead.lines, *map(_ahead_line, lines)))
