"""Trials as plans and subscriptions give them: a time without charges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from customers.errors import Invalid
from invoicing.catalog.models import TrialUnit

_LONGEST_DAYS = 3_660
HOURS = {TrialUnit.HOUR: 1, TrialUnit.DAY: 24, TrialUnit.WEEK: 24 * 7}
MONTHS = {TrialUnit.MONTH: 1, TrialUnit.YEAR: 12}


@dataclass(frozen=True, slots=True)
class Trial:
    """No trial where ``length`` is 0."""

    length: int
    unit: TrialUnit = TrialUnit.DAY


def read_trial(field: str, values: Mapping[str, Any]) -> Trial:
    """As the API and the forms give it. Raises ``Invalid`` naming what is wrong."""
    if values.get("credit"):
        raise Invalid({f"{field}.credit": "Not supported: give the trial a time_length."})
    length, unit = values.get("time_length") or 0, values.get("time_unit_name") or TrialUnit.DAY
    if unit not in TrialUnit.values:
        raise Invalid({f"{field}.time_unit_name": f"{unit!r} is not one of {', '.join(TrialUnit.values)}."})
    trial = Trial(int(length), TrialUnit(unit))
    if length != int(length) or length < 0 or _days(trial) > _LONGEST_DAYS:
        raise Invalid({f"{field}.time_length": "Give a whole number, of at most ten years."})
    return trial


_DAYS = {TrialUnit.HOUR: 1, TrialUnit.DAY: 1, TrialUnit.WEEK: 7, TrialUnit.MONTH: 31, TrialUnit.YEAR: 366}


def _days(trial: Trial) -> int:
    return trial.length * _DAYS[trial.unit]
