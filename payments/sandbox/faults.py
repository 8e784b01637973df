"""Misbehaviour on demand: what the next matching requests suffer, before or after their work."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q, QuerySet

from payments.sandbox.errors import StripeError, rate_limited, server_error
from payments.sandbox.models import Fault
from payments.sandbox.scope import Scope

# Kind -> what it does, as the documentation tells it.
KINDS = {
    "latency": "The answer takes `seconds` longer.",
    "timeout_before": "The connection is reset before anything was done.",
    "timeout_after": "The work is done and kept, then the connection is reset.",
    "error_500_before": "500 before anything was done.",
    "error_500_after": "The work is done and kept, then 500.",
    "garbage": "The work is done and kept; the answer is 200 with a body that is not JSON.",
    "rate_limit": "429 `rate_limit`; nothing was done.",
    "lock_timeout": "429 `lock_timeout`; nothing was done.",
    "conflict": "409; nothing was done.",
}


class Dropped(Exception):
    """The connection ends without an answer."""


class Garbled(Exception):
    """The answer is no JSON."""


@dataclass(frozen=True)
class Suffered:
    """What one request goes through; ``kind`` is empty for nearly all of them."""

    kind: str = ""
    seconds: float = 0


NOTHING = Suffered()


def order(fields: Mapping[str, Any], real_now: datetime) -> None:
    """``fields`` as ``orders.FAULT`` has them."""
    within = fields["within"]
    lapses_at = None if within is None else real_now + timedelta(seconds=within)
    Fault.objects.create(lapses_at=lapses_at, **fields)


def in_force(real_now: datetime) -> QuerySet[Fault]:
    return Fault.objects.exclude(lapses_at__lt=real_now).filter(times__gt=0).order_by("pk")


def lapsed(real_now: datetime) -> QuerySet[Fault]:
    """What met nothing in its time."""
    return Fault.objects.filter(lapses_at__lt=real_now, times__gt=0).order_by("pk")


def take(scope: Scope, method: str, path: str) -> Suffered:
    """What this request suffers; uses up one of the fault's times."""
    about = Q(account="") | Q(account=scope.account), Q(method="") | Q(method=method)
    waiting = in_force(scope.real_now).filter(*about)
    for fault in waiting:
        # Whoever takes the last time wins; the others go on as if it had not been there.
        if re.search(fault.path_regex, path) and waiting.filter(pk=fault.pk).update(times=F("times") - 1):
            return Suffered(fault.kind, fault.seconds)
    return NOTHING


def before(fault: Suffered) -> None:
    """Waiting, and faults that strike before anything is done and so leave nothing stored."""
    if fault.seconds:
        time.sleep(fault.seconds)
    if fault.kind == "timeout_before":
        raise Dropped
    if fault.kind == "error_500_before":
        raise server_error()
    if fault.kind == "rate_limit":
        raise rate_limited()
    if fault.kind == "lock_timeout":
        message = (
            "This object cannot be accessed right now because another API request or Stripe process is "
            "currently accessing it. If you see this error intermittently, retry the request."
        )
        raise StripeError(429, message, code="lock_timeout")
    if fault.kind == "conflict":
        raise StripeError(409, "The request conflicts with another one. Try again.")


def after(fault: Suffered) -> None:
    """Faults that lose the answer of work that is done and kept."""
    if fault.kind == "timeout_after":
        raise Dropped
    if fault.kind == "garbage":
        raise Garbled
    if fault.kind == "error_500_after":
        raise server_error()
