"""What the billing settings mean, told with an example: the cycle that ends with this month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from billing_portal.portal import words
from customers.settings.policy import BillingPolicy


@dataclass(frozen=True)
class Step:
    """``at`` is a day, or the time too where the settings count in hours; ``wait`` leads up to it."""

    name: str
    at: str
    icon: str
    wait: str = ""


def example_steps(policy: BillingPolicy, zone: ZoneInfo, now: datetime) -> list[Step]:
    end = _month_end(now.astimezone(zone))
    generated = end + policy.invoice_grace_period
    issued = generated + policy.payment_grace_period
    steps = [
        Step("Cycle ends", words.last_day(end), "event"),
        Step("Invoice generated", _at(generated), "note_add", _wait(policy.invoice_grace_period)),
    ]
    if not policy.auto_approve_invoices:
        steps.append(Step("Approved by a person", "any time after that", "person_check"))
    return [*steps, *_issue_steps(policy, issued, _wait(policy.payment_grace_period))]


def _issue_steps(policy: BillingPolicy, issued: datetime, wait: str) -> list[Step]:
    if not policy.should_send_invoice_to_customers:
        return [Step("Issued here, not sent", _at(issued), "inventory_2", wait), _due_step(policy, issued)]
    if policy.invoice_via_octane:
        return [Step("E-mailed with its PDF", _at(issued), "mail", wait), _due_step(policy, issued)]
    if not policy.stripe_auto_advance:
        return [
            Step("Draft in Stripe", _at(issued), "edit_note", wait),
            Step("Sent or charged", "when somebody acts in Stripe", "touch_app"),
        ]
    later = issued if policy.stripe_immediate_finalization else issued + timedelta(hours=1)
    hour = "" if policy.stripe_immediate_finalization else "about 1 hour"
    start = Step("Issued in Stripe", _at(issued), "send", wait)
    if policy.charges_enabled:
        return [start, Step("Charged", _at(later), "credit_card", hour)]
    return [start, Step("Sent by Stripe", _at(later), "mail", hour), _due_step(policy, later)]


def _due_step(policy: BillingPolicy, issued: datetime) -> Step:
    due = issued + timedelta(days=policy.days_until_due)
    return Step("Due", _at(due), "alarm", _wait(timedelta(days=policy.days_until_due)))


def example_sentence(steps: list[Step]) -> str:
    return " → ".join(f"{step.name} {step.at}" for step in steps) + "."


def _month_end(local: datetime) -> datetime:
    """Midnight at the start of the next month, on the wall clock of that zone."""
    first = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
    return (first + timedelta(days=32)).replace(day=1)


def _at(moment: datetime) -> str:
    """With the time only where it is not midnight."""
    if (moment.hour, moment.minute) == (0, 0):
        return words.day(moment)
    return f"{words.day(moment)}, {moment:%H:%M}"


def _wait(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    for size, unit in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes and minutes % size == 0:
            return words.length(minutes // size, unit)
    return ""
