"""System -> Incoming Stripe events: what Stripe told us, what became of it, and once more if need be."""

from __future__ import annotations

import json
from collections.abc import Mapping

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect

from billing_portal.accounts.roles import Permission
from billing_portal.portal.access import OperatorRequest, may, screen, verb
from billing_portal.portal.keyset import newest_first
from billing_portal.portal.navigation import show
from payments.stripe import processing, tally
from payments.stripe.client import API_VERSION
from payments.stripe.handlers import HANDLERS
from payments.stripe.models import StripeConnection, StripeEvent

State = StripeEvent.State

TONES: Mapping[State, str] = {
    State.PENDING: "info",
    State.PROCESSED: "success",
    State.IGNORED: "default",
    State.FAILED: "danger",
}
SHOWN = (State.FAILED, State.PENDING, State.PROCESSED, State.IGNORED)
TABS = (("", "All"), *((state.value, state.label) for state in SHOWN))
# More than that is for the next press.
MOST_AT_ONCE = 500


@screen
def event_list(request: OperatorRequest) -> HttpResponse:
    state, kind = request.GET.get("state", ""), request.GET.get("type", "").strip()
    state = state if state in State.values else ""
    rows = StripeEvent.objects.of(request.vendor).defer("body").filter(_wanted(state, kind))
    page = newest_first(rows, "received_at", before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    context = {
        "page": page,
        "rows": [(row, TONES[State(row.state)]) for row in page.rows],
        "tabs": TABS,
        "state": state,
        "type": kind,
        "types": sorted(HANDLERS),
        "failed": StripeEvent.objects.of(request.vendor).filter(state=State.FAILED).exists(),
        "editable": may(request, Permission.REPLAY_EVENTS),
        "health": _health(request),
    }
    return show(
        request, "portal/system/stripe_events.html", context, title="Incoming Stripe events", area="stripe_events"
    )


def _wanted(state: str, kind: str) -> Q:
    return (Q(state=state) if state else Q()) & (Q(type=kind) if kind else Q())


def _health(request: OperatorRequest) -> dict[str, object]:
    """Whether events arrive, and what is odd about them."""
    since = request.real_now - processing.KEPT
    connections = list(StripeConnection.objects.of(request.vendor).filter(disconnected_at__isnull=True).order_by("pk"))
    return {
        "connections": connections,
        "refused": tally.refusals(since=since),
        "versions": tally.other_versions([c.account_id for c in connections], since=since),
        "our_version": API_VERSION,
    }


@screen
def event_page(request: OperatorRequest, pk: int) -> HttpResponse:
    event = _event(request, pk)
    context = {
        "event": event,
        "tone": TONES[State(event.state)],
        "body": json.dumps(event.body, indent=2, ensure_ascii=False, sort_keys=True),
        "held_back": event.state == State.PENDING and event.claimed_until,
        "connected": StripeEvent.objects.of(request.vendor).filter(processing.connected(), pk=pk).exists(),
        "our_version": API_VERSION,
        "editable": may(request, Permission.REPLAY_EVENTS),
    }
    return show(request, "portal/system/stripe_event.html", context, title=event.type, area="stripe_events")


@verb(Permission.REPLAY_EVENTS)
def replay(request: OperatorRequest, pk: int) -> HttpResponse:
    event = _event(request, pk)
    if processing.replay(StripeEvent.objects.of(request.vendor).filter(pk=event.pk)):
        messages.success(request, "The event is processed again within seconds. Reload this page to see the outcome.")
    else:
        messages.error(request, "Nothing was changed: its account is not connected, or it is at work at this moment.")
    return redirect("portal:stripe_event", pk=event.pk)


@verb(Permission.REPLAY_EVENTS)
def replay_failed(request: OperatorRequest) -> HttpResponse:
    """All that failed, oldest first, a bounded number at a time."""
    failed = StripeEvent.objects.of(request.vendor).filter(state=State.FAILED).order_by("received_at", "pk")
    chosen = list(failed.values_list("pk", flat=True)[:MOST_AT_ONCE])
    again = processing.replay(StripeEvent.objects.of(request.vendor).filter(pk__in=chosen))
    messages.success(request, f"{again} failed event{'' if again == 1 else 's'} will be processed again.")
    return redirect("portal:stripe_events")


@verb(Permission.REPLAY_EVENTS)
def set_aside(request: OperatorRequest, pk: int) -> HttpResponse:
    event = _event(request, pk)
    mine = StripeEvent.objects.of(request.vendor).filter(pk=event.pk)
    if processing.set_aside(mine, by=request.actor.label, real_now=request.real_now):
        messages.success(request, "The event was set aside. It is kept for thirty days and can still be replayed.")
    else:
        messages.error(request, "Only an event that failed can be set aside.")
    return redirect("portal:stripe_event", pk=event.pk)


def _event(request: OperatorRequest, pk: int) -> StripeEvent:
    return get_object_or_404(StripeEvent.objects.of(request.vendor), pk=pk)
