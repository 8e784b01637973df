"""When a trial ends: until then nothing is charged, and from then on the billing cycles run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from invoicing.catalog.models import PricePlan, TrialUnit
from invoicing.catalog.trials import HOURS, MONTHS, Trial
from invoicing.subscriptions.cycles import add_months


def trial_end(plan: PricePlan, override: Trial | None, start: datetime, zone: ZoneInfo) -> datetime | None:
    """Days and longer are of the vendor's zone: a trial of 14 days ends at the time of day at which it began."""
    trial = override or Trial(plan.trial_length, TrialUnit(plan.trial_unit or TrialUnit.DAY))
    if not trial.length:
        return None
    local = start.astimezone(zone)
    if trial.unit in MONTHS:
        return add_months(local, trial.length * MONTHS[trial.unit]).astimezone(UTC)
    if trial.unit is TrialUnit.HOUR:
        return start + timedelta(hours=trial.length)
    return (local + timedelta(hours=trial.length * HOURS[trial.unit])).astimezone(UTC)
