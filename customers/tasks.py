"""Celery's way in: few lines a task, no logic."""

import time

from celery import shared_task
from django.utils import timezone

from customers import clock
from customers.events.deliver import deliver_pending
from customers.events.dispatch import dispatch
from customers.vendor import Vendor

# A driver gives its worker back after this long, so that many moving clocks cannot starve the rest.
DRIVE_SECONDS = 5.0
# Waiting for workers must not take the processor away from them.
PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 0.2


@shared_task
def deliver_events() -> None:
    """Beat: tell the vendors' endpoints what happened."""
    real_now = timezone.now()
    while dispatch(real_now=real_now):
        pass
    while deliver_pending(real_now=real_now):
        pass


@shared_task
def drive_clocks() -> None:
    """Beat: no moving clock is forgotten, whichever process died."""
    for vendor_id in Vendor.objects.filter(clock_target__isnull=False).values_list("pk", flat=True):
        drive_clock.delay(vendor_id)


@shared_task
def drive_clock(vendor_id: int) -> None:
    """Drive one vendor's clock for a while, then hand on to the next task."""
    until = time.monotonic() + DRIVE_SECONDS
    pauses = 0
    while clock.drive(vendor_id, real_now=timezone.now()):
        if time.monotonic() > until:
            drive_clock.delay(vendor_id)
            return
        pauses += 1
        time.sleep(min(PAUSE_SECONDS * pauses, LONGEST_PAUSE_SECONDS))
