"""Whether the machinery works: a line for each part, with the sign of life it gave or the oldest thing it left lying.

Beat and the workers note that they live; of the rest the oldest waiting row is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet, Subquery
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
    oldest = _oldest(request.vendor, request.now)
    return [
        *_programs(request.real_now),
        _due_work(request, oldest),
        *_stripe(request, oldest),
        _lag("Webhooks out", oldest["told"], request.real_now, "Nothing waits.", "The oldest is from", "webhooks"),
        _lag("E-mail", oldest["mail"], request.now, "Nothing waits to be sent.", "The oldest was due", "scheduled"),
    ]


Moments = Mapping[str, datetime | None]


def _oldest(vendor: Vendor, now: datetime) -> Moments:
    """Of each kind of waiting work the oldest, with one query; each finds its row by an index."""
    due = {"next_action_at__lte": now}
    listening = WebhookEndpoint.objects.of(vendor).filter(disabled_at__isnull=True, held_until__isnull=True)
    # What waits for a retry has its own pace, so only what was never tried counts.
    untried = WebhookDelivery.objects.of(vendor).filter(endpoint__in=listening, state=DeliveryState.PENDING, attempts=0)
    pending = StripeEvent.objects.of(vendor).filter(state=StripeEvent.State.PENDING)
    questions: dict[str, Subquery] = {
        "invoice": _first(Invoice.objects.of(vendor).filter(**due), "next_action_at"),
        "cycle": _first(BillingCycle.objects.of(vendor).filter(**due), "next_action_at"),
        "mail": _first(OutgoingEmail.objects.of(vendor).filter(**due), "next_action_at"),
        "news": _first(pending, "received_at"),
        "event": _first(Event.objects.of(vendor).filter(dispatched_at__isnull=True), "created_at", "pk"),
        "delivery": _first(untried, "created_at", "pk"),
    }
    answers = Vendor.objects.filter(pk=vendor.pk).values_list(*questions.values())[0]
    found: dict[str, datetime | None] = dict(zip(questions, answers, strict=True))
    return found | {
        "due": min(filter(None, (found["invoice"], found["cycle"])), default=None),
        "told": min(filter(None, (found["event"], found["delivery"])), default=None),
    }


def _first(rows: QuerySet[Any], moment: str, order: str = "") -> Subquery:
    return Subquery(rows.order_by(order or moment).values(moment)[:1])


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


def _due_work(request: OperatorRequest, oldest: Moments) -> Sign:
    """What is past its time and nobody has done: by the vendor's clock, which waits while it is moved."""
    if request.vendor.billing_paused_at:
        text = f"{request.vendor.billing_paused_by} has paused billing: {request.vendor.billing_pause_reason}"
        return Sign("Due work", "Paused", "warning", text, reverse("portal:scheduled"))
    if request.vendor.clock_is_advancing:
        text = "The test clock is moving; what falls due is done in its order."
        return Sign("Due work", *OK, text, reverse("portal:test_clock"))
    return _lag("Due work", oldest["due"], request.now, "Nothing is overdue.", "The oldest was due", "scheduled")


def _stripe(request: OperatorRequest, oldest: Moments) -> Iterator[Sign]:
    """The connection, and what came in from it."""
    link = reverse("portal:billing_settings") + "#stripe"
    acting = StripeConnection.objects.of(request.vendor).filter(is_active=True).first()
    if acting is None:
        yield Sign("Stripe connection", "Not connected", "default", "No Stripe account acts for you.", link)
        return
    heard = acting.last_webhook_at
    text = f"Last webhook {words.brief(heard, request.real_now)}." if heard else "No webhook has come yet."
    yield Sign("Stripe connection", "Connected", "success", f"{acting.account_id} in {acting.mode} mode. {text}", link)
    yield _lag(
        "Webhooks in", oldest["news"], request.real_now, "All are processed.", "The oldest came", "stripe_events"
    )


def _lag(part: str, oldest: datetime | None, now: datetime, fine: str, late: str, page: str) -> Sign:
    link = reverse(f"portal:{page}") + ("?late=late" if oldest and page == "scheduled" else "")
    if oldest is None:
        return Sign(part, *OK, fine, link)
    waited = now - oldest
    state = OK if waited < SLOW else SLOWLY if waited < STUCK else BROKEN
    return Sign(part, *state, f"{late} {words.brief(oldest, now)}.", link)
