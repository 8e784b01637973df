"""Prices by label: which row of a price list is for which usage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from invoicing.rating.terms import ComponentTerms, PriceRow, SchemeTerms
from invoicing.usage.values import Usage, added_up

Labels = tuple[tuple[str, str], ...]


def price_parts(component: ComponentTerms, used: Usage) -> list[tuple[Labels, Usage]]:
    """The usage of each combination of the labels that the price list goes by, in their order; of nothing, one part.

    Without a price list, all of it.
    """
    if not component.price_list or not used.streams:
        return [((), used)]
    keys = {key for row in component.price_list for key, _ in row.labels}
    parts: dict[Labels, list[Usage]] = {}
    for values, stream in used.streams.items():
        pairs = zip(component.label_keys, values, strict=True)
        parts.setdefault(tuple(pair for pair in pairs if pair[0] in keys), []).append(stream)
    return [(labels, added_up(parts[labels])) for labels in sorted(parts)]


def scheme_for(component: ComponentTerms, labels: Labels) -> SchemeTerms:
    """The scheme with the tiers of the row that names most of the labels; without one, with its own tiers."""
    row = _row_for(component.price_list, dict(labels)) if labels else None
    return replace(component.scheme, tiers=row.tiers) if row else component.scheme


def _row_for(rows: Iterable[PriceRow], labels: Mapping[str, str]) -> PriceRow | None:
    fitting = [row for row in rows if all(labels.get(key) == value for key, value in row.labels)]
    return max(fitting, key=lambda row: len(row.labels), default=None)
