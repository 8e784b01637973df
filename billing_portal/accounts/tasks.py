"""Celery's way in: few lines a task, no logic."""

from celery import shared_task
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone

# A mail server that is away for a while is asked again, for about an hour.
MOST_RETRIES, FIRST_WAIT, LONGEST_WAIT = 7, 30, 900


@shared_task(
    autoretry_for=(OSError,), retry_backoff=FIRST_WAIT, retry_backoff_max=LONGEST_WAIT, max_retries=MOST_RETRIES
)
def send_invitation(pk: int) -> None:
    from billing_portal.accounts.letters import send_invitation  # which imports what starts this task

    send_invitation(pk, real_now=timezone.now())


@shared_task(
    autoretry_for=(OSError,), retry_backoff=FIRST_WAIT, retry_backoff_max=LONGEST_WAIT, max_retries=MOST_RETRIES
)
def send_password_link(email: str) -> None:
    from billing_portal.accounts.letters import send_password_link

    send_password_link(email)


@shared_task
def forget_sessions() -> None:
    """Beat: sessions that have expired."""
    SessionStore.clear_expired()
