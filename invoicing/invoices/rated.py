"""The lines that billing cycles are invoiced by, for any number of cycles with the same few queries."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from customers.settings.policy import BillingPolicy
from invoicing.invoices.charges import charges_of
from invoicing.invoices.credits import CreditPot
from invoicing.invoices.opening import ahead_of, opening_lines, successors_of, with_more
from invoicing.invoices.spans import earlier_of
from invoicing.invoices.trial_credits import TrialCredits
from invoicing.rating.ahead import NOTHING_AHEAD, Ahead
from invoicing.rating.bill import bill_cycle
from invoicing.rating.discounts import DiscountTerms
from invoicing.rating.minimums import NOTHING_EARLIER, Earlier
from invoicing.rating.terms import ChargeTerms, PlanTerms, RatedLine
from invoicing.subscriptions.discounts import discounts_of
from invoicing.subscriptions.models import BillingCycle, CycleAction
from invoicing.subscriptions.terms import terms_for, usage_windows, used_in
from invoicing.usage.aggregation import usage_of
from invoicing.usage.values import Usage


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
    trial = TrialCredits(cycle.subscription for cycle in [*cycles, *successors.values()])
    for cycle in sorted(opening, key=lambda cycle: cycle.start):
        ahead_lines[cycle.pk] = trial.take(cycle, ahead_lines[cycle.pk], in_advance=True)
    found = {cycle.pk: _opening(cycle, ahead_lines[cycle.pk]) for cycle in opening}
    loaded = _load(closing, policies, ahead_lines, until=until, lock=lock)
    pot = CreditPot({cycle.customer_id for cycle in closing}, lock=lock) if closing else None
    for cycle in sorted(closing, key=lambda cycle: (cycle.end, cycle.pk)):
        lines = trial.take(cycle, _bill(cycle, policies[cycle.customer_id], loaded))
        successor = successors.get(cycle.pk)
        in_advance = trial.take(successor, ahead_lines[successor.pk], in_advance=True) if successor else []
        if successor and successor.pk in loaded.ahead:
            credited = in_advance[len(ahead_lines[successor.pk]) :]
            loaded.ahead[successor.pk] = with_more(loaded.ahead[successor.pk], credited)
        lines = [*lines, *in_advance]
        lines = pot.take(cycle, lines) if pot else lines
        found[cycle.pk] = Draft(lines, True, successor if in_advance else None)
    return found


def _opening(cycle: BillingCycle, lines: list[RatedLine]) -> Draft:
    return Draft(lines, False, cycle if lines else None)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What the bills of all cycles are made of, each by cycle."""

    terms: Mapping[int, PlanTerms]
    usage: Mapping[Hashable, Usage]
    discounts: Mapping[int, Sequence[DiscountTerms]]
    charges: Mapping[int, Sequence[ChargeTerms]]
    ahead: dict[int, Ahead]
    earlier: Mapping[int, Earlier]


def _load(
    cycles: Collection[BillingCycle],
    policies: Mapping[int, BillingPolicy],
    just_opened: Mapping[int, list[RatedLine]],
    *,
    until: datetime | None,
    lock: bool,
) -> _Loaded:
    terms = terms_for(cycles)
    windows = [window for cycle in cycles for window in usage_windows(cycle, terms[cycle.pk], until)]
    return _Loaded(
        terms,
        usage_of(windows),
        discounts_of(cycles),
        charges_of(cycles, lock=lock),
        ahead_of(cycles, policies, just_opened, terms),
        earlier_of(cycles, terms),
    )


def _bill(cycle: BillingCycle, policy: BillingPolicy, loaded: _Loaded) -> list[RatedLine]:
    terms = loaded.terms[cycle.pk]
    return bill_cycle(
        terms,
        used_in(cycle, terms, loaded.usage),
        cycle.start,
        cycle.end,
        discounts=loaded.discounts[cycle.pk],
        charges=loaded.charges[cycle.pk],
        minimum_replaces=policy.should_minimum_charge_override_line_items,
        ahead=loaded.ahead.get(cycle.pk, NOTHING_AHEAD),
        earlier=loaded.earlier.get(cycle.pk, NOTHING_EARLIER),
    )
