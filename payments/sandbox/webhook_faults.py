"""Webhooks that go astray on demand: late, twice, out of order, never."""

import random
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from django.db.models import F, Q

from payments.sandbox.models import Delivery, StoredObject, WebhookFault
from payments.sandbox.scope import Scope

# Kind -> what it does, as the documentation tells it.
KINDS = {
    "delay": "First tried `seconds` later.",
    "double": "Delivered twice.",
    "reorder": "Shuffled among what is waiting; with `seconds` each is also put off by up to so long.",
    "drop": "Never sent. The event itself can be read at `/v1/events` as ever.",
}

# Who needs the same disorder again seeds this.
chance = random.Random()  # noqa: S311 - disorder, not secrecy


def ordered(scope: Scope) -> list[WebhookFault]:
    """What has been ordered for this account and is not used up."""
    waiting = WebhookFault.objects.filter(Q(account="") | Q(account=scope.account)).exclude(times=0)
    return list(waiting.order_by("pk"))


def deliveries(
    scope: Scope, event: StoredObject, endpoints: Iterable[StoredObject], faults: list[WebhookFault]
) -> Iterator[Delivery]:
    """The event's way to each endpoint, with what befalls it there."""
    suffered = [fault for fault in faults if _strikes(fault, event.type)]
    copies = 1 + sum(fault.kind == "double" for fault in suffered)
    for endpoint in endpoints:
        for _ in range(copies):
            late = _late(suffered)
            yield Delivery(
                event=event,
                endpoint=endpoint,
                account=scope.account,
                livemode=scope.livemode,
                next_attempt_at=scope.real_now + timedelta(seconds=late),
                is_late=late > 0,
                **_fate(suffered),
            )


def _strikes(fault: WebhookFault, type: str) -> bool:
    """Uses up one of the fault's times."""
    if fault.times == 0 or (fault.types and not any(_matches(pattern, type) for pattern in fault.types)):
        return False
    if fault.times is not None:
        fault.times -= 1
        WebhookFault.objects.filter(pk=fault.pk, times__gt=0).update(times=F("times") - 1)
    return True


def _matches(pattern: str, type: str) -> bool:
    return type.startswith(pattern[:-1]) if pattern.endswith("*") else type == pattern


def _late(suffered: list[WebhookFault]) -> float:
    delays = sum(fault.seconds for fault in suffered if fault.kind == "delay")
    spreads = sum(chance.uniform(0, fault.seconds) for fault in suffered if fault.kind == "reorder")
    return delays + spreads


def _fate(suffered: list[WebhookFault]) -> dict[str, Any]:
    kinds = {fault.kind for fault in suffered}
    return {
        "position": chance.random() if "reorder" in kinds else 0,
        "state": Delivery.State.DROPPED if "drop" in kinds else Delivery.State.PENDING,
    }
