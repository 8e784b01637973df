"""Celery's way in: three lines a task, no logic."""

import uuid

from celery import shared_task
from django.utils import timezone

from customers.due import due_everywhere
from invoicing.invoices import advance, mailing, reminders
from invoicing.usage import folding, partitions


@shared_task
def advance_due() -> None:
    """Beat: whatever is due, for every vendor whose clock stands or runs."""
    real_now = timezone.now()
    for due in due_everywhere(real_now):
        advance.advance(due, real_now=real_now, hand_over=hand_over)


@shared_task
def perform_step(invoice_id: int, token: str) -> None:
    advance.perform(invoice_id, uuid.UUID(token), real_now=timezone.now())


def hand_over(invoice_id: int, token: uuid.UUID) -> None:
    perform_step.delay(invoice_id, str(token))


@shared_task
def write_emails() -> None:
    """Beat: queue the reminders that are due, then hand out every e-mail whose time has come."""
    real_now = timezone.now()
    for due in due_everywhere(real_now, "next_reminder_at"):
        while reminders.remind_due(due, real_now=real_now):
            pass
    for due in due_everywhere(real_now):
        mailing.hand_out(due, real_now=real_now, hand_over=hand_over_email)


@shared_task
def send_email(email_id: int, token: str) -> None:
    mailing.send(email_id, uuid.UUID(token), real_now=timezone.now())


def hand_over_email(email_id: int, token: uuid.UUID) -> None:
    send_email.delay(email_id, str(token))


@shared_task
def fold_usage() -> None:
    """Beat: what the days come to whose measurements were touched."""
    folding.fold_usage()


@shared_task
def make_months() -> None:
    """Beat: the months that measurements will be written to, so that nobody waits for them to be made."""
    partitions.make_ahead(timezone.now())
