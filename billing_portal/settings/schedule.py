"""What Celery beat starts, and how often. Every entry is safe to run twice and to miss."""

import os

# `up` ticks faster so that a person trying the product does not wait.
TICK_SECONDS = float(os.environ.get("TICK_SECONDS", "10"))

BEAT_SCHEDULE = {
    "tick": {
        "task": "billing_portal.tasks.tick",
        "schedule": TICK_SECONDS,
        "options": {"expires": 60},
    },
}
