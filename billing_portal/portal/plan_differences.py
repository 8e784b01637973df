"""What a new version of a price plan changes against the one before, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace

from billing_portal.portal.plan_draft import AddOnBoxes, ComponentBoxes, PlanBoxes

LABELS = {
    "display_name": "Display name",
    "description": "Description",
    "period": "Billed every",
    "currency": "Currency",
    "base_price": "Base price",
    "base_price_description": "Text of the base price",
    "base_price_frequency": "Base price every so many cycles",
    "minimum_charge": "Minimum charge",
    "minimum_charge_frequency": "Minimum charge of so many cycles",
    "trial_length": "Trial",
    "trial_credit": "Credit in the trial",
    "features": "Features",
    "limits": "Limits of features",
}


def differences(before: PlanBoxes, after: PlanBoxes) -> list[str]:
    return [*_texts(before.texts, after.texts), *_parts(before, after)]


def _texts(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for name, label in LABELS.items():
        was, now = before[name].replace("\r", ""), after[name].replace("\r", "")
        if was == now or (was or "1", now or "1") == ("1", "1"):
            continue
        if "\n" in was + now:
            yield f"{label}: changed"
        else:
            yield f"{label}: {was or 'none'} → {now or 'none'}"


def _parts(before: PlanBoxes, after: PlanBoxes) -> Iterator[str]:
    yield from _changes("Metered component", _by_meter(before), _by_meter(after))
    yield from _changes("Add-on", {one.name: one for one in before.add_ons}, {one.name: one for one in after.add_ons})


def _by_meter(boxes: PlanBoxes) -> dict[str, ComponentBoxes]:
    """Without what is typed for the preview alone."""
    return {one.meter: replace(one, quantity="", labels="") for one in boxes.components}


def _changes(
    kind: str,
    before: Mapping[str, ComponentBoxes | AddOnBoxes],
    after: Mapping[str, ComponentBoxes | AddOnBoxes],
) -> Iterator[str]:
    for name in dict.fromkeys((*before, *after)):
        if name not in after:
            yield f"{kind} {name}: removed"
        elif name not in before:
            yield f"{kind} {name or 'without a name yet'}: added"
        elif changed := _changed(before[name], after[name]):
            yield f"{kind} {name}: {', '.join(changed)}"


def _changed(before: ComponentBoxes | AddOnBoxes, after: ComponentBoxes | AddOnBoxes) -> list[str]:
    return [
        f"{one.name.replace('_', ' ')} changed"
        for one in fields(before)
        if _plain(getattr(before, one.name)) != _plain(getattr(after, one.name))
    ]


def _plain(value: object) -> object:
    """Line ends as every browser sends them are one and the same."""
    return (
        value.replace("\r", "").strip() if isinstance(value, str) else list(value) if isinstance(value, list) else value
    )
