"""Due work lives in rows; workers take it by claiming rows.

A claim is a lease in real time: whoever holds it works, and when the holder dies the lease runs out
and the row is handed out again. Overlap is harmless because every effect is guarded by a unique row or
an idempotency key; the lease only avoids doing work twice. Technical retries (Stripe out of reach) are
leases too: ``hold`` keeps a row back until real time reaches ``claimed_until``.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import models, transaction
from django.db.models import Q


class Claimable(models.Model):
    claim_token = models.UUIDField(null=True, blank=True, editable=False)
    claimed_until = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        abstract = True


class QueuedWork(Claimable):
    """``next_action_at`` is in the vendor's time: when the next action falls due. Null: nothing planned."""

    next_action = models.CharField(max_length=24, blank=True)
    next_action_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)
    failures = models.PositiveSmallIntegerField(default=0, editable=False, help_text="Times in a row its step raised.")

    class Meta:
        abstract = True


def retry_delay(failures: int) -> timedelta:
    """After the ``failures``-th time in a row that a step raised: an hour, two, four... at most a week."""
    return min(timedelta(hours=2 ** min(failures - 1, 10)), timedelta(days=7))


C = TypeVar("C", bound=Claimable)


def unclaimed(real_now: datetime) -> Q:
    return Q(claimed_until__isnull=True) | Q(claimed_until__lte=real_now)


def any_of(rows: models.QuerySet[Any]) -> bool:
    """Whether there is one. ``exists()`` would drop the order, and with it the index that the rows come from: where
    there is none, others of the table may be gone through in the hope of finding one soon."""
    return bool(rows.values_list("pk", flat=True)[:1])


def in_hand(rows: models.QuerySet[C], real_now: datetime) -> int:
    """How many of ``rows`` workers hold, or have been handed, at this moment."""
    return rows.filter(claim_token__isnull=False, claimed_until__gt=real_now).count()


def claim(rows: models.QuerySet[C], *, real_now: datetime, lease: timedelta, limit: int) -> tuple[uuid.UUID, list[int]]:
    """Take up to ``limit`` unclaimed rows, oldest first as ``rows`` orders them.

    Returns the token that proves the claim and the primary keys taken. Never waits for a lock:
    rows that somebody else is claiming at this moment are skipped.
    """
    token = uuid.uuid4()
    with transaction.atomic():
        free = rows.filter(unclaimed(real_now)).select_for_update(skip_locked=True, of=("self",))
        ids = list(free.values_list("pk", flat=True)[:limit])
        if ids:
            rows.model._default_manager.filter(pk__in=ids).update(claim_token=token, claimed_until=real_now + lease)
    return token, ids


def renew(model: type[C], pk: int, token: uuid.UUID, *, real_now: datetime, lease: timedelta) -> bool:
    """Start work under a claim. False when the claim has passed to somebody else meanwhile."""
    held = model._default_manager.filter(pk=pk, claim_token=token)
    return held.update(claimed_until=real_now + lease) == 1


def hold(model: type[C], pk: int, *, until: datetime) -> None:
    """Keep a row back until ``until`` (real time): a technical retry, not a business deadline."""
    model._default_manager.filter(pk=pk).update(claim_token=None, claimed_until=until)


def release(model: type[C], pk: int) -> None:
    model._default_manager.filter(pk=pk).update(claim_token=None, claimed_until=None)
