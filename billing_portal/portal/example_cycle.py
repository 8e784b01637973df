"""What the billing settings mean, told with an example: the cycle that ends with this month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from billing_portal.portal import words
from customers.settings.policy import BillingPolicy
from invoicing.invoices.models import Channel
from invoicing.invoices.schedule import channel_for, due_date

# Stripe leaves a draft open for about an hour before it finalizes and collects it.
STRIPE_DRAFT_WINDOW = timedelta(hours=1)


@dataclass(frozen=True)
class Step:
    """``at`` is a day, or the time too where the settings count in hours; ``wait`` leads up to it. ``moment`` is
    None where nobody can say when. ``tries`` are those before it, where it is the last of several."""

    name: str
    at: str
    wait: str = ""
    moment: datetime | None = None
    tries: Sequence[datetime] = ()


def example_steps(policy: BillingPolicy, zone: ZoneInfo, now: datetime) -> list[Step]:
    end = _month_end(now.astimezone(zone))
    generated = end + policy.invoice_grace_period
    issued = generated + policy.payment_grace_period
    steps = [
        Step("Cycle ends", words.last_day(end), moment=end),
        _step("Invoice generated", generated, _later(policy.invoice_grace_period)),
    ]
    if not policy.auto_approve_invoices:
        steps.append(Step("Approved by a person", "any time after that"))
    return [*steps, *_issue_steps(policy, issued, _later(policy.payment_grace_period))]


def _issue_steps(policy: BillingPolicy, issued: datetime, wait: str) -> list[Step]:
    channel = channel_for(policy)
    if channel == Channel.NONE:
        return [_step("Stays here, nothing is sent", issued, wait)]
    if channel == Channel.EMAIL:
        return _email_steps(policy, issued, wait)
    if not policy.stripe_auto_advance:
        act = Step("Sent or charged", "when somebody acts in Stripe")
        return [_step("Draft in Stripe", issued, wait), act]
    window = timedelta(0) if policy.stripe_immediate_finalization else STRIPE_DRAFT_WINDOW
    collected = issued + window
    name = "Charged" if policy.charges_enabled else "Sent by Stripe"
    collect = _step(name, collected, f"about {_later(window)}" if window else "")
    first = [_step("Issued in Stripe", issued, wait), collect]
    if not policy.charges_enabled:
        return [*first, *_due_steps(policy, issued)]
    if policy.stripe_immediate_finalization:
        return [*first, _retries(policy, collected)]
    return [*first, Step("If that fails, tried again", "by Stripe's own schedule")]


def _email_steps(policy: BillingPolicy, issued: datetime, wait: str) -> list[Step]:
    if not policy.charges_emailed_invoices:
        return [_step("E-mailed with its PDF", issued, wait), *_due_steps(policy, issued)]
    rest = [_retries(policy, issued), *_due_steps(policy, issued)]
    known = sorted(rest, key=lambda step: step.moment or issued)
    return [_step("Charged and e-mailed with its PDF", issued, wait), *known]


def _retries(policy: BillingPolicy, charged: datetime) -> Step:
    """By our own schedule."""
    if not policy.retry_attempts:
        return Step("If that fails", "waits for a person")
    *before, last = (charged + (n + 1) * policy.retry_frequency for n in range(policy.retry_attempts))
    each = _wait(policy.retry_frequency)
    if policy.retry_attempts == 1:
        return Step("If that fails, tried again", day_and_time(last), f"{each} later", last)
    told = f"{policy.retry_attempts} times, {each} apart, the last on {day_and_time(last)}"
    return Step("If that fails, tried again", told, moment=last, tries=before)


def _due_steps(policy: BillingPolicy, issued: datetime) -> list[Step]:
    due = due_date(issued, policy)
    return [_step("Due", due, f"{_wait(due - issued)} after its issue" if due > issued else "")] if due else []


def _step(name: str, moment: datetime, wait: str = "") -> Step:
    return Step(name, day_and_time(moment), wait, moment)


def example_sentence(steps: Sequence[Step]) -> str:
    return " → ".join(f"{step.name} {step.at}" for step in steps) + "."


def month_of(local: datetime) -> tuple[datetime, datetime]:
    """The running month, from its first midnight to the next month's."""
    return local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0), _month_end(local)


def _month_end(local: datetime) -> datetime:
    """Midnight at the start of the next month, on the wall clock of that zone."""
    first = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
    return (first + timedelta(days=32)).replace(day=1)


def day_and_time(moment: datetime) -> str:
    """With the time only where it is not midnight."""
    if (moment.hour, moment.minute) == (0, 0):
        return words.day(moment)
    return f"{words.day(moment)}, {moment:%H:%M}"


def _later(span: timedelta) -> str:
    return f"{_wait(span)} later" if span else ""


def _wait(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    for size, unit in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes and minutes % size == 0:
            return words.length(minutes // size, unit)
    return ""
