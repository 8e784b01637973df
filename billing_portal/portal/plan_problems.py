"""What is wrong with a price plan that was typed, beside the boxes it is about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from billing_portal.portal import plan_draft
from billing_portal.portal.plan_draft import AddOnBoxes, ComponentBoxes, PlanBoxes, TierBoxes
from customers.errors import Invalid

PLACE = re.compile(r"^(metered_components|add_ons)\.(\d+)\.(?:price_scheme\.)?(?:prices\.(\d+)\.)?")

# Where the boxes are called otherwise.
ELSEWHERE = {"trial": "trial_length"}


@dataclass
class Problems:
    """A refusal, sorted to the boxes it is about."""

    refusal: Invalid | None = None
    texts: dict[str, str] = field(default_factory=dict)
    placed: dict[tuple[str, int, int | None], list[str]] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name, messages in (self.refusal.errors if self.refusal else {}).items():
            self._sort(name, " ".join(messages))

    def _sort(self, name: str, text: str) -> None:
        first = name.partition(".")[0]
        box = ELSEWHERE.get(first, first)
        if place := PLACE.match(name):
            tier = int(place[3]) if place[3] else None
            self.placed.setdefault((place[1], int(place[2]), tier), []).append(text)
        elif box in plan_draft.TEXTS:
            self.texts[box] = text
        else:
            self.others.append(text)

    def __bool__(self) -> bool:
        return self.refusal is not None


@dataclass(frozen=True)
class TierShown:
    place: int
    boxes: TierBoxes
    problems: Sequence[str]


@dataclass(frozen=True)
class Row:
    """A metered component or an add-on."""

    place: int
    boxes: ComponentBoxes | AddOnBoxes
    tiers: Sequence[TierShown]
    problems: Sequence[str]


def component_rows(boxes: PlanBoxes, problems: Problems) -> list[Row]:
    return _rows("metered_components", boxes.components, problems)


def add_on_rows(boxes: PlanBoxes, problems: Problems) -> list[Row]:
    return _rows("add_ons", boxes.add_ons, problems)


def _rows(kind: str, typed: Sequence[ComponentBoxes | AddOnBoxes], problems: Problems) -> list[Row]:
    def found(place: int, tier: int | None = None) -> list[str]:
        return problems.placed.get((kind, place, tier), [])

    return [
        Row(place, row, [TierShown(n, tier, found(place, n)) for n, tier in enumerate(row.tiers)], found(place))
        for place, row in enumerate(typed)
    ]
