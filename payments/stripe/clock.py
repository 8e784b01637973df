"""The moving clock waits until Stripe's webhooks of the present moment have been processed."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q, QuerySet

from customers.vendor import Vendor
from payments.stripe import processing
from payments.stripe.models import StripeConnection, StripeEvent

BATCH = 100


class StripeClock:
    """A ``customers.clock.Participant``. Stripe's own clock is Stripe's: nothing falls due here."""

    def next_due(self, vendor: Vendor, *, after: datetime) -> datetime | None:
        return None

    def last_due(self, vendor: Vendor, *, by: datetime) -> datetime | None:
        return None

    def settle(self, vendor: Vendor, *, now: datetime, real_now: datetime) -> bool:
        connections = StripeConnection.objects.of(vendor)
        busy = [settle_account(c.account_id, c.livemode, real_now) for c in connections]
        return any(busy)  # each has had its turn

    def follow(self, vendor: Vendor) -> None:
        return


def settle_account(account_id: str, livemode: bool, real_now: datetime) -> bool:
    """Process the account's events that have not been tried yet or that wait for an invoice.

    True while something happened or somebody else is at one. Events held back after a failure are not
    waited for: technical retries go by real time.
    """
    pending = StripeEvent.objects.filter(account_id=account_id, livemode=livemode, state=StripeEvent.State.PENDING)
    if not pending.exists():  # nearly always, and this is asked often
        return False
    due = list(_due(pending).order_by("pk").values_list("pk", flat=True)[:BATCH])
    for pk in due:
        processing.process(pk, real_now=real_now)
    done = StripeEvent.objects.filter(pk__in=due).exclude(state=StripeEvent.State.PENDING)
    return done.exists() or _at_work(pending, real_now).exists() or _untouched(pending).exists()


def _due(pending: QuerySet[StripeEvent]) -> QuerySet[StripeEvent]:
    return pending.filter(Q(attempts=0) | Q(awaits_invoice=True))


def _untouched(pending: QuerySet[StripeEvent]) -> QuerySet[StripeEvent]:
    return pending.filter(attempts=0, awaits_invoice=False)


def _at_work(pending: QuerySet[StripeEvent], real_now: datetime) -> QuerySet[StripeEvent]:
    return pending.filter(claim_token__isnull=False, claimed_until__gt=real_now)
