"""What time is it for an account?"""

from datetime import datetime

from payments.sandbox.models import Clock


def now(account: str, livemode: bool, real_now: datetime) -> datetime:
    clock = Clock.objects.filter(account=account, livemode=livemode).first()
    if clock is None:
        return real_now
    return clock.frozen_at or real_now + clock.offset
