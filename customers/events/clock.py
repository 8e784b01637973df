"""How outgoing webhooks take part when a test vendor's clock is moved: each is attempted once.

Those that wait behind a failed one are not waited for: redelivery follows real time.
"""

from __future__ import annotations

from datetime import datetime

from customers.events.deliver import untried
from customers.events.dispatch import dispatch
from customers.vendor import Vendor


class EventsClock:
    def next_due(self, vendor: Vendor, *, after: datetime) -> datetime | None:
        """Redelivery follows real time, so nothing is ever planned on the vendor's clock."""
        return None

    def last_due(self, vendor: Vendor, *, by: datetime) -> datetime | None:
        return None

    def settle(self, vendor: Vendor, *, now: datetime, real_now: datetime) -> bool:
        from customers.tasks import hand_out_endpoints

        taken = dispatch(real_now=real_now, vendor_id=vendor.pk)
        handed = hand_out_endpoints(real_now=real_now, vendor_id=vendor.pk)
        return bool(taken or handed or untried(vendor.pk, real_now=real_now).exists())

    def follow(self, vendor: Vendor) -> None:
        """Nothing is kept here that depends on the clock."""
