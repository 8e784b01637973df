"""The sandbox's time, one clock for each account and mode.

The portal moves it: ``set_clock`` puts it somewhere, ``next_due`` says when the next thing happens
by itself, ``settle`` performs what is due at the present moment.
"""

from datetime import datetime, timedelta

from django.db.models import Max, Min

from payments.sandbox import deliveries, schedule
from payments.sandbox.idempotency import is_busy
from payments.sandbox.models import Clock, StoredObject
from payments.sandbox.moments import now

__all__ = ["last_due", "next_due", "now", "set_clock", "settle"]


def set_clock(account: str, livemode: bool, *, frozen_at: datetime | None, offset: timedelta) -> None:
    """With ``frozen_at`` time stands still there, else it runs ``offset`` ahead of real time."""
    Clock.objects.update_or_create(
        account=account, livemode=livemode, defaults={"frozen_at": frozen_at, "offset": offset}
    )


def next_due(account: str, livemode: bool, after: datetime | None = None) -> datetime | None:
    """When, on the account's clock, the next scheduled thing happens: finalization, payment retry. ``after``: the
    next one after that moment, whatever is overdue."""
    ahead = {"due_at__isnull": False} if after is None else {"due_at__gt": after}
    waiting = StoredObject.objects.filter(account=account, livemode=livemode, test_clock="", **ahead)
    moment: datetime | None = waiting.aggregate(first=Min("due_at"))["first"]
    return moment


def last_due(account: str, livemode: bool, by: datetime) -> datetime | None:
    """The latest scheduled thing that is not after ``by``."""
    waiting = StoredObject.objects.filter(account=account, livemode=livemode, due_at__lte=by, test_clock="")
    moment: datetime | None = waiting.aggregate(last=Max("due_at"))["last"]
    return moment


def settle(account: str, livemode: bool, real_now: datetime) -> bool:
    """Do what is due now and try every new webhook once, oldest first. True while anything is
    still under way: here, in another process, or in a request that has not committed yet."""
    schedule.run_due(real_now, account, livemode)
    deliveries.deliver(real_now, account, livemode, first_attempts_only=True)
    return (
        is_busy(account, livemode)
        or deliveries.untried(account, livemode, real_now)
        or schedule.anything_due(real_now, account, livemode)
    )
