"""What Celery beat starts, and how often. Every entry is safe to run twice and to miss."""

import os
from typing import Any

from celery.schedules import crontab

# `up` ticks faster so that a person trying the product does not wait.
TICK_SECONDS = float(os.environ.get("TICK_SECONDS", "10"))


def _each_tick(task: str) -> dict[str, Any]:
    # A tick that was not taken in time is not worth taking late: the next one does the same work.
    return {"task": task, "schedule": TICK_SECONDS, "options": {"expires": 3 * TICK_SECONDS}}


BEAT_SCHEDULE = {
    "advance what is due": _each_tick("invoicing.tasks.advance_due"),
    "write e-mails": _each_tick("invoicing.tasks.write_emails"),
    "deliver events": _each_tick("customers.tasks.deliver_events"),
    "drive moving clocks": _each_tick("customers.tasks.drive_clocks"),
    "fold usage": {"task": "invoicing.tasks.fold_usage", "schedule": 60.0, "options": {"expires": 120.0}},
    "check usage limits": {"task": "invoicing.tasks.check_all_limits", "schedule": 3600.0},
    "make the coming months": {"task": "invoicing.tasks.make_months", "schedule": crontab(hour=1, minute=10)},
    "sweep Stripe's news": _each_tick("payments.tasks.sweep"),
    "work out the coming run": {"task": "invoicing.tasks.work_out_coming_bills", "schedule": 3600.0},
    "look for missed events": {"task": "payments.tasks.poll_events", "schedule": 300.0, "options": {"expires": 600.0}},
    "ask for what is stuck": {"task": "payments.tasks.ask_for_stuck", "schedule": 60.0, "options": {"expires": 120.0}},
    "compare with Stripe": {"task": "payments.tasks.reconcile", "schedule": crontab(hour=2, minute=40)},
    "go on comparing with Stripe": {
        "task": "payments.tasks.continue_runs",
        "schedule": 60.0,
        "options": {"expires": 120.0},
    },
    "forget Stripe's old news": {"task": "payments.tasks.forget_events", "schedule": 3600.0},
    "ask whether Stripe accounts are still connected": {"task": "payments.tasks.probe_connections", "schedule": 3600.0},
    "go on with imports": _each_tick("billing_portal.lists.tasks.go_on_with_imports"),
    "forget old sessions": {"task": "billing_portal.accounts.tasks.forget_sessions", "schedule": 86400.0},
    "forget old answers": {"task": "billing_portal.api.tasks.forget_answers", "schedule": 3600.0},
}
