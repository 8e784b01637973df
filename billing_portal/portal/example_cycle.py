"""What the billing settings mean, told with an example: the cycle that ends with this month."""

from __future__ import annotations

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
    channel = channel_for(policy)
    if channel == Channel.NONE:
        return [Step("Stays here, nothing is sent", _at(issued), "inventory_2", wait)]
    if channel == Channel.EMAIL:
        return [Step("E-mailed with its PDF", _at(issued), "mail", wait), *_due_steps(policy, issued)]
    if not policy.stripe_auto_advance:
        act = Step("Sent or charged", "when somebody acts in Stripe", "touch_app")
        return [Step("Draft in Stripe", _at(issued), "edit_note", wait), act]
    window = timedelta(0) if policy.stripe_immediate_finalization else STRIPE_DRAFT_WINDOW
    collected = issued + window
    name, icon = ("Charged", "credit_card") if policy.charges_enabled else ("Sent by Stripe", "mail")
    collect = Step(name, _at(collected), icon, f"about {_wait(window)}" if window else "")
    return [Step("Issued in Stripe", _at(issued), "send", wait), collect, *_due_steps(policy, issued)]


def _due_steps(policy: BillingPolicy, issued: datetime) -> list[Step]:
    due = due_date(issued, policy)
    return [Step("Due", _at(due), "alarm", _wait(due - issued))] if due else []


def example_sentence(steps: list[Step]) -> str:
    return " → ".join(f"{step.name} {step.at}" for step in steps) + "."


def month_of(local: datetime) -> tuple[datetime, datetime]:
    """The running month, from its first midnight to the next month's."""
    return local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0), _month_end(local)


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
