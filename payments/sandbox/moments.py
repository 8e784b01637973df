"""What time is it for an account?"""

from datetime import datetime, timedelta

from payments.sandbox.models import Clock


def at(real_now: datetime, frozen_at: datetime | None, offset: timedelta | None) -> datetime:
    return frozen_at or real_now + (offset or timedelta(0))


def now(account: str, livemode: bool, real_now: datetime) -> datetime:
    clock = Clock.objects.filter(account=account, livemode=livemode).first()
    return at(real_now, clock.frozen_at, clock.offset) if clock else real_now
