"""The lines that billing cycles are invoiced by, for any number of cycles with the same few queries."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from customers.settings.policy import BillingPolicy
from invoicing.invoices.charges import charges_of
from invoicing.invoices.credits import CreditPot
from invoicing.invoices.opening import ahead_of, opening_lines, successors_of
from invoicing.rating.ahead import NOTHING_AHEAD
from invoicing.rating.bill import bill_cycle
from invoicing.rating.terms import RatedLine
from invoicing.subscriptions.discounts import discounts_of
from invoicing.subscriptions.models import BillingCycle, CycleAction
from invoicing.subscriptions.terms import terms_for, usage_windows
from invoicing.usage.aggregation import usage_of
from invoicing.usage.values import NO_USAGE


@dataclass(frozen=True, slots=True)
class Draft:
    """What an invoice would have. ``opens`` is the cycle that it bills in advance, ``closes`` whether it is that of
    its cycle's end."""

    lines: list[RatedLine]
    closes: bool
    opens: BillingCycle | None = None


def rated_lines(
    cycles: Collection[BillingCycle],
    policies: Mapping[int, BillingPolicy],
    *,
    until: datetime | None = None,
    lock: bool = False,
) -> dict[int, list[RatedLine]]:
    """Those of ``drafted``."""
    return {pk: draft.lines for pk, draft in drafted(cycles, policies, until=until, lock=lock).items()}


def drafted(
    cycles: Collection[BillingCycle],
    policies: Mapping[int, BillingPolicy],
    *,
    until: datetime | None = None,
    lock: bool = False,
) -> dict[int, Draft]:
    """By the cycle's id. ``policies`` are by customer; ``until`` leaves out what was used from then on. ``lock``
    keeps the ad-hoc charges from being called off meanwhile.

    ``cycles`` come with ``vendor`` and ``subscription__price_plan`` loaded.

    1. What of the cycles that follow is billed in advance.
    2. The cycles' own lines, less what was billed in advance: by earlier invoices, or by others of these.
    3. What customers are owed for time that was billed and not used.
    """
    opening = [cycle for cycle in cycles if cycle.next_action == CycleAction.OPEN]
    closing = [cycle for cycle in cycles if cycle.next_action != CycleAction.OPEN]
    successors = successors_of(closing, policies, planned=until is not None)
    ahead_lines = opening_lines([*opening, *successors.values()], policies, at=until)
    found = {cycle.pk: _opening(cycle, ahead_lines[cycle.pk]) for cycle in opening}
    bills = _bills(closing, policies, ahead_lines, until=until, lock=lock)
    pot = CreditPot({cycle.customer_id for cycle in closing}, lock=lock) if closing else None
    for cycle in sorted(closing, key=lambda cycle: (cycle.end, cycle.pk)):
        successor = successors.get(cycle.pk)
        in_advance = ahead_lines[successor.pk] if successor else []
        lines = [*bills[cycle.pk], *in_advance]
        lines = pot.take(cycle, lines) if pot else lines
        found[cycle.pk] = Draft(lines, True, successor if in_advance else None)
    return found


def _opening(cycle: BillingCycle, lines: list[RatedLine]) -> Draft:
    return Draft(lines, False, cycle if lines else None)


def _bills(
    cycles: Collection[BillingCycle],
    policies: Mapping[int, BillingPolicy],
    just_opened: Mapping[int, list[RatedLine]],
    *,
    until: datetime | None,
    lock: bool,
) -> dict[int, list[RatedLine]]:
    terms = terms_for(cycles)
    windows = [window for cycle in cycles for window in usage_windows(cycle, terms[cycle.pk], until)]
    usage = usage_of(windows)
    discounts, charges = discounts_of(cycles), charges_of(cycles, lock=lock)
    ahead = ahead_of(cycles, policies, just_opened)
    return {
        cycle.pk: bill_cycle(
            terms[cycle.pk],
            {part.key: usage.get((cycle.pk, part.key), NO_USAGE) for part in terms[cycle.pk].components},
            cycle.start,
            cycle.end,
            discounts=discounts[cycle.pk],
            charges=charges[cycle.pk],
            minimum_replaces=policies[cycle.customer_id].should_minimum_charge_override_line_items,
            ahead=ahead.get(cycle.pk, NOTHING_AHEAD),
        )
        for cycle in cycles
    }
