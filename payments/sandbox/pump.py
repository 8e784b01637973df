"""Keeps the sandbox going while nobody moves its clock: due work and webhooks, every second and
right after each request that made some."""

import logging
import threading
from datetime import datetime

from django.db import close_old_connections
from django.utils import timezone

from payments.sandbox import deliveries, forgetting, schedule, wakeup

logger = logging.getLogger(__name__)
INTERVAL = 1.0


def run_due(real_now: datetime) -> int:
    """One round over all accounts: scheduled work, then webhooks. Returns how much was done."""
    return schedule.run_due(real_now) + deliveries.deliver(real_now)


def start() -> threading.Thread:
    thread = threading.Thread(target=_forever, name="sandbox-pump", daemon=True)
    thread.start()
    return thread


def _forever() -> None:
    forget_at = timezone.now()
    while True:
        wakeup.wait(INTERVAL)
        try:
            run_due(timezone.now())
            if timezone.now() >= forget_at:
                forgetting.forget(timezone.now())
                forget_at = timezone.now() + forgetting.EVERY
        except Exception:
            logger.exception("The sandbox's pump stumbled; it tries again")
            close_old_connections()
