"""Test clocks: time of their own for the customers that were made with one, and for all that is theirs."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from payments.sandbox import schedule, store
from payments.sandbox.models import StoredObject
from payments.sandbox.scope import Scope, moment

CLOCK = "test_helpers.test_clock"
# What a request may name, in its path or its parameters, that lives by a clock.
NAMES = ("customer", "invoice", "payment_intent", "charge", "id", "test_clock")
# More than this many things happen in no advance; something that stays due would happen for ever.
MOST_STEPS = 10_000


def of_request(scope: Scope, template: str, named: Mapping[str, Any]) -> Scope:
    """The request's time: that of the test clock by which the objects live that it names."""
    if not scope.has_test_clocks or template.startswith("/v1/test_helpers/"):
        return scope
    ids = [named[name] for name in NAMES if isinstance(named.get(name), str)]
    rows = StoredObject.objects.filter(account=scope.account, livemode=scope.livemode, stripe_id__in=ids)
    clock = rows.exclude(test_clock="").values_list("test_clock", flat=True).first()
    return at_clock(scope, store.get(scope, CLOCK, clock)) if clock else scope


def at_clock(scope: Scope, clock: StoredObject) -> Scope:
    return replace(scope, now=moment(clock.data["frozen_time"]), test_clock=clock.stripe_id)


def arrive(scope: Scope, clock: StoredObject) -> None:
    """Everything that falls due on the way happens at its own moment; then the clock is ready."""
    target = clock.data["status_details"]["advancing"]["target_frozen_time"]
    for _ in range(MOST_STEPS):
        due = _next_due(scope, clock, target)
        if due is None or due.due_at is None:
            break
        now = max(due.due_at, moment(clock.data["frozen_time"]))
        inner = replace(scope, now=now, test_clock=clock.stripe_id)
        schedule.HANDLERS[due.object](inner, due)
    changes = {"frozen_time": target, "status": "ready", "status_details": {"advancing": None}}
    store.change(scope, clock, changes, due_at=None)
    scope.emit("test_helpers.test_clock.ready", clock.data)


def _next_due(scope: Scope, clock: StoredObject, target: int) -> StoredObject | None:
    rows = StoredObject.objects.filter(account=scope.account, livemode=scope.livemode, test_clock=clock.stripe_id)
    due = rows.exclude(pk=clock.pk).filter(due_at__lte=moment(target)).select_for_update()
    return due.order_by("due_at", "pk").first()


schedule.HANDLERS[CLOCK] = arrive
