"""Celery's way in: few lines a task, no logic."""

import time
from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from billing_portal.lists.models import WORKING, Import
from billing_portal.lists.running import step
from customers.claims import claim, release, renew

# Another import waits no longer than this for a worker.
WORK_SECONDS = 20.0


@shared_task
def go_on_with_imports() -> None:
    """Beat, and when somebody starts one: what is at work is handed out, also after a worker died."""
    waiting = Import.objects.filter(state__in=WORKING).order_by("pk")
    token, ids = claim(waiting, real_now=timezone.now(), lease=settings.CLAIM_LEASE, limit=settings.CLAIM_BATCH)
    for pk in ids:
        work_on_import.delay(pk, str(token))


@shared_task
def work_on_import(pk: int, claim_token: str) -> None:
    """For a while; what is left is handed out again."""
    until = time.monotonic() + WORK_SECONDS
    token = UUID(claim_token)
    made = Import.objects.select_related("vendor").get(pk=pk)
    while renew(Import, pk, token, real_now=timezone.now(), lease=settings.CLAIM_LEASE):
        if not step(made, real_now=timezone.now()):
            release(Import, pk)
            return
        if time.monotonic() > until:
            release(Import, pk)
            go_on_with_imports.delay()
            return
