"""What happens by itself: drafts finalize, payments are tried again. Each due object is taken
under a row lock that others skip, and all that follows from it commits at once."""

import logging
from collections.abc import Callable
from datetime import datetime

from django.db import connection, transaction

from payments.sandbox import events, idempotency
from payments.sandbox.models import StoredObject
from payments.sandbox.moments import now
from payments.sandbox.scope import Scope

logger = logging.getLogger(__name__)

# Kind of object -> what is done with it when its moment comes. Resource modules fill this in.
HANDLERS: dict[str, Callable[[Scope, StoredObject], None]] = {}

DUE = """
SELECT o.id FROM sandbox_storedobject o
LEFT JOIN sandbox_clock c ON c.account = o.account AND c.livemode = o.livemode
WHERE o.due_at IS NOT NULL AND (o.test_clock = '' OR o.object = 'test_helpers.test_clock')
  AND o.due_at <= coalesce(c.frozen_at, %s::timestamptz + coalesce(c."offset", interval '0'))
  AND (%s::text IS NULL OR (o.account = %s AND o.livemode = %s))
ORDER BY o.due_at, o.id LIMIT 500
"""


def run_due(real_now: datetime, account: str | None = None, livemode: bool = False) -> int:
    """Everything due, oldest first, including what becomes due meanwhile. Returns how much that was."""
    done = 0
    failed: set[int] = set()
    while waiting := [pk for pk in _due(real_now, account, livemode) if pk not in failed]:
        for pk in waiting:
            if _run(pk, real_now):
                done += 1
            else:
                failed.add(pk)
    return done


def anything_due(real_now: datetime, account: str, livemode: bool) -> bool:
    return bool(_due(real_now, account, livemode))


def _due(real_now: datetime, account: str | None, livemode: bool) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(DUE, [real_now, account, account, livemode])
        return [pk for (pk,) in cursor.fetchall()]


def _run(pk: int, real_now: datetime) -> bool:
    """False where another process has the object, or where it raised: then it stays due."""
    try:
        with transaction.atomic():
            return _run_locked(pk, real_now)
    except Exception:
        logger.exception("Scheduled work on object %s failed", pk)
        return False


def _run_locked(pk: int, real_now: datetime) -> bool:
    row = StoredObject.objects.select_for_update(skip_locked=True).filter(pk=pk).first()
    if row is None or row.due_at is None:
        return False
    scope = Scope(
        account=row.account,
        livemode=row.livemode,
        now=now(row.account, row.livemode, real_now),
        real_now=real_now,
    )
    if row.due_at > scope.now:
        return False
    idempotency.mark_busy(row.account, row.livemode)
    HANDLERS[row.object](scope, row)
    events.flush(scope)
    return True
