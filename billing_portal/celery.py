"""The Celery application. Schedules live in settings, where they are reviewed like code."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, task_prerun, worker_init, worker_process_init

from billing_portal.collecting import collect_seldom

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_portal.settings.development")

app = Celery("billing_portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@beat_init.connect
@worker_init.connect
def keep_signs_of_life(**kwargs: Any) -> None:
    """What these programs note while they run, which the dashboard looks for."""
    from billing_portal import heartbeats

    heartbeats.begin(is_beat=kwargs.get("signal") is beat_init)


@worker_process_init.connect
def begin_work(**kwargs: Any) -> None:
    collect_seldom()


@task_prerun.connect
def renew_connections(task: Any, **kwargs: Any) -> None:
    """A task keeps the database connection of the one before it, as a request does (``CONN_MAX_AGE``), and like
    a request it begins with one that works. Celery itself would open a new one each time (see
    ``CELERY_DB_REUSE_MAX``)."""
    from django.db import close_old_connections

    if not task.request.is_eager:
        close_old_connections()
