"""Whether the work gets done: what is overdue, and whether there is room for what comes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage, staticfiles_storage
from django.db.models import Count

from billing_portal.doctor.findings import Finding, fine, problem, warning
from billing_portal.metrics import QUEUES, ask
from invoicing.usage.partitions import MONTHS_AHEAD, following, month_of, months_kept
from payments.stripe.models import StripeEvent

SLOW, STUCK = timedelta(minutes=2), timedelta(minutes=15)
LITTLE_ROOM, NO_ROOM = 0.10, 0.02


def overdue(real_now: datetime) -> Iterator[Finding]:
    """The oldest of each queue, all vendors together."""
    late = [(queue.name, *ask(queue.sql)) for queue in QUEUES]
    for name, count, seconds in late:
        waited = timedelta(seconds=int(seconds))
        if waited < SLOW:
            continue
        rate = problem if waited > STUCK else warning
        text = f"{count} {name.replace('_', ' ')} wait, the oldest for {waited}."
        yield rate(text, "Add workers if they are busy; docs/operations.md, 'The queue grows'.")
    if all(seconds < SLOW.total_seconds() for _, _, seconds in late):
        yield fine("Nothing is overdue.")


def failed_webhooks(real_now: datetime) -> Iterator[Finding]:
    [count] = StripeEvent.objects.filter(state=StripeEvent.State.FAILED).aggregate(Count("pk")).values()
    if count:
        text = f"{count} of Stripe's webhooks could not be processed."
        yield warning(text, "System -> Incoming Stripe events shows why, and replays them.")
    else:
        yield fine("None of Stripe's webhooks has failed.")


def months(real_now: datetime) -> Iterator[Finding]:
    wanted = [month_of(real_now)]
    while len(wanted) < MONTHS_AHEAD:
        wanted.append(following(wanted[-1]))
    missing = [f"{month:%Y-%m}" for month in wanted if month not in months_kept()]
    if missing:
        text = f"There is no table for the measurements of {', '.join(missing)} yet."
        yield warning(text, "Beat makes them every night at 01:10 UTC; see that beat runs.")
    else:
        yield fine(f"Measurements have tables until {wanted[-1]:%Y-%m}.")


def static_files(real_now: datetime) -> Iterator[Finding]:
    if not isinstance(staticfiles_storage, ManifestStaticFilesStorage):
        yield fine("Static files are served from where they lie.")
        return
    known = staticfiles_storage.hashed_files
    expected = {path for finder in get_finders() for path, _ in finder.list([])}
    missing = sorted(path for path in expected if path not in known)
    gone = sorted(name for name in known.values() if not staticfiles_storage.exists(name))
    if missing or gone:
        text = f"{len(missing) + len(gone)} static files are missing in {settings.STATIC_ROOT}: {(missing + gone)[0]}."
        yield problem(text, "Run `manage.py collectstatic --no-input` with the STATIC_ROOT of the web servers.")
    else:
        yield fine(f"{len(known)} static files are collected in {settings.STATIC_ROOT}.")


def disk_space(real_now: datetime) -> Iterator[Finding]:
    """Of this host. The database's own disk is where it lies: watch it there."""
    for folder in sorted({str(place) for place in _written() if place.exists()}):
        usage = shutil.disk_usage(folder)
        share = usage.free / usage.total
        text = f"{folder}: {usage.free / 2**30:.1f} GB free ({share:.0%})."
        if share < LITTLE_ROOM:
            rate = problem if share < NO_ROOM else warning
            yield rate(text, "Make room, or move it; docs/operations.md, 'A disk is full'.")
        else:
            yield fine(text)


def _written() -> Iterator[Path]:
    yield Path(tempfile.gettempdir())
    for place in (settings.STATIC_ROOT, settings.MEDIA_ROOT, getattr(settings, "EMAIL_FILE_PATH", "")):
        if place:
            yield Path(place)
