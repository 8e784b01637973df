"""Whether the machinery works: a line for each part, with the sign of life it gave or the oldest thing it left lying.

Beat and the workers note that they live; of the rest the oldest waiting row is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from billing_portal import heartbeats
from billing_portal.portal import words
from billing_portal.portal.access import OperatorRequest
from customers.events.models import DeliveryState, Event, WebhookDelivery, WebhookEndpoint
from customers.vendor import Vendor
from invoicing.invoices.models import Invoice, OutgoingEmail
from invoicing.subscriptions.models import BillingCycle
from payments.stripe.models import StripeConnection, StripeEvent

SILENT = timedelta(seconds=60)
SLOW = timedelta(minutes=2)
STUCK = timedelta(minutes=15)

OK, SLOWLY, BROKEN, UNKNOWN = (
    ("Works", "success"),
    ("Behind", "warning"),
    ("Stands still", "danger"),
    ("Unknown", "default"),
)


@dataclass(frozen=True)
class Sign:
    """``state`` and ``tone`` are the chip's; ``link`` leads to where one can do something about it."""

    part: str
    state: str
    tone: str
    text: str
    link: str = ""


def health(request: OperatorRequest) -> list[Sign]:
    return [
        *_programs(request.real_now),
        _due_work(request),
        *_stripe(request),
        _outgoing(request.vendor, request.real_now),
        _mail(request.vendor, request.now),
    ]


PROGRAMS: Mapping[str, str] = {heartbeats.BEAT: "Schedule (beat)", heartbeats.WORKER: "Workers"}


def _programs(real_now: datetime) -> Iterator[Sign]:
    seen = heartbeats.last_seen()
    for program, part in PROGRAMS.items():
        if seen is None:
            yield Sign(part, *UNKNOWN, "Redis does not answer, so nobody can say.")
        elif (at := seen[program]) is None:
            yield Sign(part, *BROKEN, "No sign of life. Is the program running?")
        else:
            state = OK if real_now - at < SILENT else BROKEN
            yield Sign(part, *state, f"Last sign of life {words.brief(at, real_now)}.")


def _due_work(request: OperatorRequest) -> Sign:
    """What is past its time and nobody has done: by the vendor's clock, which waits while it is moved."""
    link = f"{reverse('portal:scheduled')}?late=yes"
    if request.vendor.clock_is_advancing:
        return Sign("Due work", *OK, "The test clock is moving; what falls due is done in its order.", link)
    oldest = [
        at
        for rows in (Invoice.objects.of(request.vendor), BillingCycle.objects.of(request.vendor))
        if (at := _oldest(rows.filter(next_action_at__lte=request.now), "next_action_at"))
    ]
    return _lag("Due work", min(oldest, default=None), request.now, "Nothing is overdue.", "The oldest was due", link)


def _stripe(request: OperatorRequest) -> Iterator[Sign]:
    """The connection, and what came in from it."""
    link = reverse("portal:billing_settings") + "#stripe"
    acting = StripeConnection.objects.of(request.vendor).filter(is_active=True).first()
    if acting is None:
        yield Sign("Stripe connection", "Not connected", "default", "No Stripe account acts for you.", link)
        return
    heard = acting.last_webhook_at
    text = f"Last webhook {words.brief(heard, request.real_now)}." if heard else "No webhook has come yet."
    yield Sign("Stripe connection", "Connected", "success", f"{acting.account_id} in {acting.mode} mode. {text}", link)
    pending = StripeEvent.objects.of(request.vendor).filter(state=StripeEvent.State.PENDING)
    oldest, events = _oldest(pending, "received_at"), reverse("portal:stripe_events")
    yield _lag("Webhooks in", oldest, request.real_now, "All are processed.", "The oldest came", events)


def _outgoing(vendor: Vendor, real_now: datetime) -> Sign:
    """Events not handed out yet, and deliveries never tried: what waits for a retry has its own pace."""
    told = WebhookEndpoint.objects.of(vendor).filter(disabled_at__isnull=True)
    pending = WebhookDelivery.objects.of(vendor).filter(
        endpoint__in=told, state=DeliveryState.PENDING, attempts=0, endpoint__held_until__isnull=True
    )
    events = Event.objects.of(vendor).filter(dispatched_at__isnull=True)
    found = [at for rows in (pending, events) if (at := _oldest(rows, "created_at"))]
    link = reverse("portal:webhooks")
    return _lag("Webhooks out", min(found, default=None), real_now, "Nothing waits.", "The oldest is from", link)


def _mail(vendor: Vendor, now: datetime) -> Sign:
    waiting = OutgoingEmail.objects.of(vendor).filter(next_action_at__lte=now)
    link = f"{reverse('portal:scheduled')}?kind=email"
    oldest = _oldest(waiting, "next_action_at")
    return _lag("E-mail", oldest, now, "Nothing waits to be sent.", "The oldest was due", link)


def _oldest(rows: QuerySet[Any], moment: str) -> datetime | None:
    order = [moment] if moment.startswith("next") else ["pk"]
    found: datetime | None = rows.order_by(*order).values_list(moment, flat=True).first()
    return found


def _lag(part: str, oldest: datetime | None, now: datetime, fine: str, late: str, link: str) -> Sign:
    if oldest is None:
        return Sign(part, *OK, fine, link)
    waited = now - oldest
    state = OK if waited < SLOW else SLOWLY if waited < STUCK else BROKEN
    return Sign(part, *state, f"{late} {words.brief(oldest, now)}.", link)
