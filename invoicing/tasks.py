"""Celery's way in: three lines a task, no logic."""

import uuid

from celery import shared_task
from django.utils import timezone

from customers.due import due_everywhere
from invoicing.invoices import advance


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
