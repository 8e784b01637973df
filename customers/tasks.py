"""Celery's way in: few lines a task, no logic."""

import time
from datetime import datetime
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from customers import clock
from customers.events.deliver import TOGETHER, claim_endpoints, deliver_next, let_go
from customers.events.dispatch import dispatch
from customers.events.notices import send_notices
from customers.events.nudge import DELIVERIES
from customers.events.post import session
from customers.vendor import Vendor

# A driver gives its worker back after this long, so that many moving clocks cannot starve the rest.
DRIVE_SECONDS = 5.0
# An endpoint with much to be told gives its worker back after this long; the lease of its claim is longer.
DELIVER_SECONDS = 20.0
# Waiting for workers must not take the processor away from them.
PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 0.2


@shared_task
def deliver_events() -> None:
    """Beat, and after each commit that wrote events: hand out the vendors' endpoints that are to be told."""
    DELIVERIES.answered()
    while dispatch(real_now=timezone.now()):
        pass
    while hand_out_endpoints(real_now=timezone.now()):
        pass
    send_notices()


def hand_out_endpoints(*, real_now: datetime, vendor_id: int | None = None) -> int:
    """One task for each endpoint, so that a slow one keeps only its own worker waiting."""
    token, ids = claim_endpoints(real_now=real_now, vendor_id=vendor_id)
    for endpoint_id in ids:
        deliver_to_endpoint.delay(endpoint_id, str(token))
    return len(ids)


@shared_task
def deliver_to_endpoint(endpoint_id: int, claim_token: str) -> None:
    """Deliver to one endpoint for a while. What is left is handed out again."""
    token = UUID(claim_token)
    until = time.monotonic() + DELIVER_SECONDS
    with session() as http:
        while (
            deliver_next(http, endpoint_id, token, real_now=timezone.now(), most=TOGETHER) and time.monotonic() < until
        ):
            pass
    let_go(endpoint_id, token)
    # Also what came in after the last look and before the claim was given back.
    again, ids = claim_endpoints(real_now=timezone.now(), endpoint_id=endpoint_id)
    if ids:
        deliver_to_endpoint.delay(endpoint_id, str(again))


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
