"""The lines of a billing cycle's invoice, in the order in which they are worked out (``docs/rating.md``)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from invoicing.rating.minimums import with_component_minimum, with_plan_minimum
from invoicing.rating.rate import rate_cycle
from invoicing.rating.terms import LineKind, PlanTerms, RatedLine
from invoicing.usage.values import Usage


def bill_cycle(
    terms: PlanTerms, usage: Mapping[int, Usage], start: datetime, end: datetime, *, minimum_replaces: bool = False
) -> list[RatedLine]:
    """Base price and usage, then component minimums, then the plan's minimum.

    ``minimum_replaces``: the line of a minimum stands in place of what it tops up.
    """
    lines = _with_component_minimums(rate_cycle(terms, usage, start, end), terms, minimum_replaces)
    return with_plan_minimum(lines, terms, start, end, replaces=minimum_replaces)


def _with_component_minimums(lines: list[RatedLine], terms: PlanTerms, replaces: bool) -> list[RatedLine]:
    """The components' lines are the last ones, in the plan's order."""
    fixed = [line for line in lines if line.kind != LineKind.METERED_COMPONENT]
    metered = [line for line in lines if line.kind == LineKind.METERED_COMPONENT]
    for line, component in zip(metered, terms.components, strict=True):
        fixed += with_component_minimum(line, component, terms, replaces=replaces)
    return fixed
