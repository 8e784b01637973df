"""The sandbox follows the clock of the vendors whose test accounts live in it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from customers.vendor import Vendor
from payments.sandbox import clock
from payments.stripe.clock import settle_account
from payments.stripe.models import StripeConnection, StripeEvent


class SandboxClock:
    """A ``customers.clock.Participant``."""

    def next_due(self, vendor: Vendor, *, after: datetime) -> datetime | None:
        moments = [clock.next_due(account, livemode, after) for account, livemode in _accounts(vendor)]
        return min((moment for moment in moments if moment is not None), default=None)

    def last_due(self, vendor: Vendor, *, by: datetime) -> datetime | None:
        moments = [clock.last_due(account, livemode, by) for account, livemode in _accounts(vendor)]
        return max((moment for moment in moments if moment is not None), default=None)

    def settle(self, vendor: Vendor, *, now: datetime, real_now: datetime) -> bool:
        busy = [_settle(account, livemode, real_now) for account, livemode in _accounts(vendor)]
        return any(busy)  # each has had its turn

    def follow(self, vendor: Vendor) -> None:
        for account, livemode in _accounts(vendor):
            clock.set_clock(account, livemode, frozen_at=vendor.clock_frozen_at, offset=vendor.clock_offset)


def follow_on_connecting(sender: Any, instance: StripeConnection, **kwargs: Any) -> None:
    """An account that is connected to a vendor takes over the vendor's time."""
    if instance.vendor.is_test and instance.disconnected_at is None:
        SandboxClock().follow(instance.vendor)


def _accounts(vendor: Vendor) -> list[tuple[str, bool]]:
    rows = StripeConnection.objects.of(vendor).filter(livemode=False, disconnected_at__isnull=True)
    return list(rows.values_list("account_id", "livemode"))


def _settle(account: str, livemode: bool, real_now: datetime) -> bool:
    """Busy, too, when webhooks came in just now: what they change may make more things due."""
    before = _latest_event(account, livemode)
    busy = clock.settle(account, livemode, real_now)
    processed = settle_account(account, livemode, real_now)
    return busy or processed or _latest_event(account, livemode) != before


def _latest_event(account: str, livemode: bool) -> int | None:
    events = StripeEvent.objects.filter(account_id=account, livemode=livemode)
    return events.order_by("-pk").values_list("pk", flat=True).first()
