"""How outgoing webhooks take part when a test vendor's clock is moved: each is attempted once."""

from __future__ import annotations

from datetime import datetime

from customers.events.deliver import deliver_pending, untried
from customers.events.dispatch import dispatch
from customers.vendor import Vendor


class EventsClock:
    def next_due(self, vendor: Vendor) -> datetime | None:
        """Redelivery follows real time, so nothing is ever planned on the vendor's clock."""
        return None

    def last_due(self, vendor: Vendor, *, by: datetime) -> datetime | None:
        return None

    def settle(self, vendor: Vendor, *, now: datetime, real_now: datetime) -> bool:
        taken = dispatch(real_now=real_now, vendor_id=vendor.pk)
        tried = deliver_pending(real_now=real_now, vendor_id=vendor.pk)
        return bool(taken or tried or untried(vendor.pk).exists())

    def follow(self, vendor: Vendor) -> None:
        """Nothing is kept here that depends on the clock."""
