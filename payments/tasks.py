"""What Celery runs for the payments. Here, at the edge, is where the time is asked."""

from celery import shared_task
from django.utils import timezone

from payments.stripe import customers, processing


@shared_task
def process_event(event_pk: int) -> None:
    """Handle a stored event, and what comes in for the same object meanwhile."""
    while processing.process(event_pk, real_now=timezone.now()):
        pass


@shared_task
def sweep() -> None:
    """Everything that was never picked up, or whose pause is over. Safe to run twice and to miss."""
    for event_pk in processing.sweep(real_now=timezone.now()):
        process_event.delay(event_pk)
    customers.retry_pending(real_now=timezone.now())
