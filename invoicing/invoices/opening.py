"""Billing in advance: which cycles an invoice opens, with which lines, and what was billed of a cycle that way."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

from django.db.models import Q

from customers.settings.policy import BillingPolicy
from invoicing.invoices.models import LineItem
from invoicing.invoices.states import InvoiceStatus
from invoicing.rating.ahead import Ahead, AheadLine, open_cycle
from invoicing.rating.terms import ComponentTerms, LineKind, PlanTerms, RatedLine
from invoicing.subscriptions.discounts import discounts_of
from invoicing.subscriptions.models import BillingCycle, CycleAction
from invoicing.subscriptions.rules import cycle_rule, ends_span, planned_cycle
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
    terms: Mapping[int, PlanTerms],
) -> dict[int, Ahead]:
    """By cycle, what was billed of it in advance: by invoices that exist (one query, or none), or just now."""
    kept = _kept_lines(cycles, terms)
    for cycle in cycles:
        for line in just_opened.get(cycle.pk, ()):
            _keep(kept, cycle, _ahead_line(line))
    found = {}
    for cycle in cycles:
        if lines := _of_spans(cycle, kept.get(cycle.subscription_id, {})):
            found[cycle.pk] = Ahead(
                tuple(line for line, _ in lines),
                used=planned_share(cycle),
                trues_up=policies[cycle.customer_id].invoice_overages,
                forgiven=any(voided for _, voided in lines),
            )
    return found


# By subscription and by the number of the billing cycle: lines, and whether their invoice was voided.
_Lines = list[tuple[AheadLine, bool]]
_Kept = dict[int, dict[int, _Lines]]


def _keep(kept: _Kept, cycle: BillingCycle, line: AheadLine, *, voided: bool = False) -> None:
    kept.setdefault(cycle.subscription_id, {}).setdefault(cycle.index, []).append((line, voided))


def _of_spans(cycle: BillingCycle, kept: Mapping[int, _Lines]) -> _Lines:
    """What was billed for several cycles is compared in the last of them, or the one in which all ends."""
    every = partial(_every, cycle.subscription.price_plan.base_price_frequency)
    own = [pair for pair in kept.get(cycle.index, ()) if every(pair[0]) == 1]
    longer = [
        (index, pair) for index in sorted(kept) if index <= cycle.index for pair in kept[index] if every(pair[0]) > 1
    ]
    rule = cycle_rule(cycle.subscription, cycle.vendor.zone) if longer else None
    for index, pair in longer:
        length = every(pair[0])
        if rule and ends_span(cycle, rule, length) and index >= rule.span(cycle.index, length)[0]:
            own.append(pair)
    return own


def _every(base_price_frequency: int, line: AheadLine) -> int:
    """How many billing cycles it was billed for."""
    if line.kind == LineKind.BASE_PRICE:
        return base_price_frequency
    return int(line.metadata.get("charge_frequency", 1)) if line.kind == LineKind.ADD_ON else 1


def _kept_lines(cycles: Collection[BillingCycle], terms: Mapping[int, PlanTerms]) -> _Kept:
    """Of the cycles that were opened, of those that add-ons were added to at once, and of the spans they are in."""
    wanted = Q(invoice__opens__in=[cycle.pk for cycle in cycles if cycle.opened])
    if bases := {c.subscription_id for c in cycles if c.subscription.price_plan.base_price_frequency > 1}:
        wanted |= Q(invoice__opens__subscription__in=bases, kind=LineKind.BASE_PRICE)
    if longer := {c.subscription_id for c in cycles if any(one.charge_frequency > 1 for one in terms[c.pk].add_ons)}:
        wanted |= Q(invoice__opens__subscription__in=longer, kind=LineKind.ADD_ON)
        wanted |= Q(invoice__adds_to__subscription__in=longer, kind=LineKind.ADD_ON)
    if added := [cycle.pk for cycle in cycles if any(one.at_once for one in terms[cycle.pk].add_ons)]:
        wanted |= Q(invoice__adds_to__in=added)
    found: _Kept = {}
    if not bases and not longer and not added and not any(cycle.opened for cycle in cycles):
        return found
    rows = LineItem.objects.filter(wanted, in_advance=True).order_by("invoice_id", "position")
    for line in rows.select_related("invoice__opens", "invoice__adds_to"):
        of = line.invoice.adds_to or line.invoice.opens
        if of is not None:
            _keep(found, of, _ahead_line(line), voided=line.invoice.status == InvoiceStatus.VOIDED)
    return found


def _ahead_line(line: RatedLine | LineItem) -> AheadLine:
    return AheadLine(line.kind, line.amount, line.metadata)


def with_more(ahead: Ahead, lines: Iterable[RatedLine]) -> Ahead:
    return replace(ahead, lines=(*ahead.lines, *map(_ahead_line, lines)))
