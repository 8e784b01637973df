"""A component's price list as rows that come and go by themselves; each change is a new version of its plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction

from customers.errors import Conflict, Invalid
from customers.vendor import Vendor
from invoicing.catalog.models import PricePlan
from invoicing.catalog.plans import draft_of, write_plan
from invoicing.catalog.price_lists import MOST_ROWS, PRICES, prices_of, read_rows
from invoicing.catalog.prices import ComponentDraft, RowDraft, read_tiers
from invoicing.catalog.verbs import find_plan

Labels = tuple[tuple[str, str], ...]
Rows = tuple[RowDraft, ...]


def component_of(plan: PricePlan, position: int) -> ComponentDraft:
    found = draft_of(plan).components
    if position >= len(found):
        raise Conflict(f"The price plan {plan.name!r} has no such component any more.")
    return found[position]


def read_row(component: ComponentDraft, cells: Mapping[str, str], at: str) -> RowDraft:
    """A line of a CSV file: one cell for each label, and ``prices``. Raises ``Invalid``."""
    given: Mapping[str, Any] = {**cells, PRICES: prices_of(cells.get(PRICES, ""), f"{at}.{PRICES}")}
    [row] = read_rows([given], component.meter.primary_labels, at)
    return RowDraft(row.labels, read_tiers(row.prices, component.scheme.scheme_type, f"{at}.{PRICES}"))


def merged(before: Rows, given: Sequence[RowDraft]) -> Rows:
    """A row with the same labels takes the place of the one there was; the others stay; new ones follow."""
    wanted: dict[Labels, RowDraft] = {row.labels: row for row in (*before, *given)}
    if len(wanted) > MOST_ROWS:
        raise Invalid({PRICES: f"The price list would have {len(wanted):,} rows; {MOST_ROWS:,} is the most."})
    return tuple(wanted.values())


def merge_rows(vendor: Vendor, name: str, position: int, given: Sequence[RowDraft], *, now: datetime) -> PricePlan:
    """A new version with these rows in the component's price list. Subscriptions keep the version they have."""
    return _next_version(vendor, name, position, lambda latest, rows: merged(rows, given), now=now)


def put_rows_back(vendor: Vendor, name: str, position: int, *, made: int, before: int, now: datetime) -> PricePlan:
    """A new version with the rows of version ``before``, as long as ``made`` is the newest. Raises ``Conflict``."""

    def rows(latest: PricePlan, now_there: Rows) -> Rows:
        if latest.version != made:
            raise Conflict(f"The price plan {name!r} was changed since: its newest version is {latest.version}.")
        return component_of(PricePlan.objects.of(vendor).get(name=name, version=before), position).scheme.rows

    return _next_version(vendor, name, position, rows, now=now)


def _next_version(
    vendor: Vendor, name: str, position: int, rows: Callable[[PricePlan, Rows], Rows], *, now: datetime
) -> PricePlan:
    with transaction.atomic():
        PricePlan.objects.select_for_update(no_key=True).get(pk=find_plan(vendor, name).pk)
        latest = find_plan(vendor, name)
        component, draft = component_of(latest, position), draft_of(latest)
        scheme = replace(component.scheme, rows=rows(latest, component.scheme.rows))
        components = list(draft.components)
        components[position] = replace(component, scheme=scheme)
        changed = replace(draft, components=tuple(components), tags=())
        return write_plan(vendor, name, latest.version + 1, changed, now=now)
