"""The Celery application. Schedules live in settings, where they are reviewed like code."""

import logging.config
import os
from typing import Any

from celery import Celery
from celery.signals import (
    beat_init,
    before_task_publish,
    setup_logging,
    task_postrun,
    task_prerun,
    worker_init,
    worker_process_init,
)

from billing_portal.collecting import collect_seldom
from customers import log_context

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


# The request that a task was sent in travels with it, so that both are found by one id.
ASKED_IN = "asked_in"


@setup_logging.connect
def log_as_set(**kwargs: Any) -> None:
    """Celery would set up lines of its own."""
    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)


@before_task_publish.connect
def name_the_request(headers: dict[str, Any] | None = None, **kwargs: Any) -> None:
    request_id = log_context.known().get("request_id")
    if request_id and headers is not None:
        headers[ASKED_IN] = request_id


@task_prerun.connect
def name_the_task(task: Any, task_id: str, **kwargs: Any) -> None:
    asked_in = task.request.get(ASKED_IN)
    ids = {"task": task.name, "task_id": task_id, **({"request_id": asked_in} if asked_in else {})}
    task.request.log_token = log_context.enter(**ids)


@task_postrun.connect
def forget_the_task(task: Any, **kwargs: Any) -> None:
    log_context.leave(task.request.log_token)
