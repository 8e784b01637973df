"""Celery's way in: few lines a task, no logic."""

from celery import shared_task
from django.utils import timezone

from billing_portal.api.idempotency import forget


@shared_task
def forget_answers() -> None:
    """Beat: answers are kept for a day under their Idempotency-Key."""
    real_now = timezone.now()
    while forget(real_now=real_now):
        pass
