"""Trials: a time at the start of a subscription in which nothing is charged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from customers.errors import Invalid
from invoicing.catalog.models import PricePlan, TrialUnit
from invoicing.subscriptions.cycles import add_months

_LONGEST_DAYS = 3_660
_HOURS = {TrialUnit.HOUR: 1, TrialUnit.DAY: 24, TrialUnit.WEEK: 24 * 7}
_MONTHS = {TrialUnit.MONTH: 1, TrialUnit.YEAR: 12}


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


def _days(trial: Trial) -> int:
    return trial.length * (_HOURS[trial.unit] // 24 or 1 if trial.unit in _HOURS else 30 * _MONTHS[trial.unit])


def trial_end(plan: PricePlan, override: Trial | None, start: datetime, zone: ZoneInfo) -> datetime | None:
    """Days and longer are of the vendor's zone: a trial of 14 days ends at the time of day at which it began."""
    trial = override or Trial(plan.trial_length, TrialUnit(plan.trial_unit or TrialUnit.DAY))
    if not trial.length:
        return None
    local = start.astimezone(zone)
    if trial.unit in _MONTHS:
        return add_months(local, trial.length * _MONTHS[trial.unit]).astimezone(UTC)
    if trial.unit is TrialUnit.HOUR:
        return start + timedelta(hours=trial.length)
    return (local + timedelta(hours=trial.length * _HOURS[trial.unit])).astimezone(UTC)
