"""Trials as plans and subscriptions give them: a time without charges, or a credit that invoices are lowered by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from customers.errors import Invalid
from invoicing.catalog.checks import minor_units
from invoicing.catalog.models import TrialUnit

_LONGEST_DAYS = 3_660
HOURS = {TrialUnit.HOUR: 1, TrialUnit.DAY: 24, TrialUnit.WEEK: 24 * 7}
MONTHS = {TrialUnit.MONTH: 1, TrialUnit.YEAR: 12}


@dataclass(frozen=True, slots=True)
class Trial:
    """No trial where neither is given. ``credit``, in minor units, lowers the invoices of billing cycles that begin
    within the length, or for good where there is none; without a credit the time is free."""

    length: int
    unit: TrialUnit = TrialUnit.DAY
    credit: int = 0


def read_trial(field: str, values: Mapping[str, Any]) -> Trial:
    """As the API and the forms give it. Raises ``Invalid`` naming what is wrong."""
    credit = minor_units(f"{field}.credit", values.get("credit") or 0)
    length, unit = values.get("time_length") or 0, values.get("time_unit_name") or TrialUnit.DAY
    if unit not in TrialUnit.values:
        raise Invalid({f"{field}.time_unit_name": f"{unit!r} is not one of {', '.join(TrialUnit.values)}."})
    trial = Trial(int(length), TrialUnit(unit), credit)
    if length != int(length) or length < 0 or _days(trial) > _LONGEST_DAYS:
        raise Invalid({f"{field}.time_length": "Give a whole number, of at most ten years."})
    return trial


_DAYS = {TrialUnit.HOUR: 1, TrialUnit.DAY: 1, TrialUnit.WEEK: 7, TrialUnit.MONTH: 31, TrialUnit.YEAR: 366}


def _days(trial: Trial) -> int:
    return trial.length * _DAYS[trial.unit]
