"""When a trial ends: until then nothing is charged, and from then on the billing cycles run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from invoicing.catalog.models import PricePlan, TrialUnit
from invoicing.catalog.trials import HOURS, MONTHS, Trial
from invoicing.subscriptions.cycles import add_months


@dataclass(frozen=True, slots=True)
class TrialTerms:
    """As a subscription has it: until ``ends_at`` nothing is charged; or ``credit`` is taken off invoices, of billing
    cycles that begin before ``credit_until`` (None: of any)."""

    ends_at: datetime | None = None
    credit: int = 0
    credit_until: datetime | None = None


def trial_terms(plan: PricePlan, override: Trial | None, start: datetime, zone: ZoneInfo) -> TrialTerms:
    end = trial_end(plan, override, start, zone)
    credit = (override or trial_of(plan)).credit
    return TrialTerms(None, credit, end) if credit else TrialTerms(end)


def trial_of(plan: PricePlan) -> Trial:
    return Trial(plan.trial_length, TrialUnit(plan.trial_unit or TrialUnit.DAY), plan.trial_credit)


def trial_end(plan: PricePlan, override: Trial | None, start: datetime, zone: ZoneInfo) -> datetime | None:
    """Days and longer are of the vendor's zone: a trial of 14 days ends at the time of day at which it began."""
    trial = override or trial_of(plan)
    if not trial.length:
        return None
    local = start.astimezone(zone)
    if trial.unit in MONTHS:
        return add_months(local, trial.length * MONTHS[trial.unit]).astimezone(UTC)
    if trial.unit is TrialUnit.HOUR:
        return start + timedelta(hours=trial.length)
    return (local + timedelta(hours=trial.length * HOURS[trial.unit])).astimezone(UTC)
