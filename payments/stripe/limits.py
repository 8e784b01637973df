"""How fast we may call Stripe: 100 requests a second for a live account, 25 in test mode.

Every call waits for its turn here first. Today nothing is held back and Stripe's 429 is answered by
trying again later; a limiter that all workers share takes this place.
"""

from __future__ import annotations

from typing import Protocol


class Limiter(Protocol):
    def wait(self, account_id: str, livemode: bool) -> None:
        """Return when the next call for this account and mode may be made."""


class Unlimited:
    def wait(self, account_id: str, livemode: bool) -> None:
        return


limiter: Limiter = Unlimited()
