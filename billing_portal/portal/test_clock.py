"""Moving a test vendor's clock forward: what happens on the 3rd of next month? Or: what happens next?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from billing_portal.accounts.roles import Permission
from billing_portal.portal import words
from billing_portal.portal.access import OperatorRequest, form_screen, may, screen, verb
from billing_portal.portal.navigation import show
from billing_portal.portal.planned import KIND_PLACES, Asked, Clock, Planned, planned
from customers.clock import TICK, move_forward, next_moment
from customers.errors import Invalid
from customers.events.models import Event, EventKind
from customers.vendor import Vendor

NAMED = 5
# What is done by the vendor's clock; the rest goes by real time, wherever the clock stands.
BY_THE_CLOCK = frozenset({"invoice", "cycle", "reminder", "due", "email"})


class ClockForm(forms.Form):
    """The moment is typed on the vendor's wall clock."""

    target = forms.DateTimeField(
        label="Move forward to",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
    )


@dataclass(frozen=True)
class NextEvent:
    """When something falls due next, and what; empty where only Stripe's test account knows."""

    at: datetime
    what: Sequence[Planned]
    is_more: bool


@dataclass(frozen=True)
class Progress:
    """How far a moving clock has come: whole parts of a hundred between where it set out and where it goes."""

    at: datetime
    target: datetime
    percent: int


@form_screen(Permission.MOVE_CLOCK)
def test_clock(request: OperatorRequest) -> HttpResponse:
    form = ClockForm(request.POST or None, initial={"target": _tomorrow(request.now)})
    if request.method == "POST" and form.is_valid() and _move(request, form):
        return redirect("portal:test_clock")
    context = {
        "form": form,
        "editable": may(request, Permission.MOVE_CLOCK),
        "next": next_event(request),
        "progress": progress_of(request.vendor),
    }
    return show(request, "portal/settings/test_clock.html", context, title="Test clock", area="test_clock")


@screen
def progress(request: OperatorRequest) -> HttpResponse:
    """Asked for every second while the clock is moving; once it has arrived the page is loaded again."""
    moving = progress_of(request.vendor)
    answer = render(request, "portal/settings/_clock_progress.html", {"progress": moving, "now": request.now})
    if moving is None:
        answer.headers["HX-Refresh"] = "true"
    return answer


@verb(Permission.MOVE_CLOCK)
def advance_to_next(request: OperatorRequest) -> HttpResponse:
    at = next_moment(request.vendor, request.now)
    if at is None:
        messages.error(request, "Nothing is planned, so there is no event to move the clock to.")
        return redirect("portal:test_clock")
    try:
        move_forward(request.vendor, at, actor=request.actor, real_now=request.real_now)
    except Invalid as refusal:
        messages.error(request, " ".join(refusal.errors.get("now", [refusal.message])))
    else:
        messages.success(request, f"The clock is on its way to {words.moment(at)}, the next event.")
    return redirect("portal:test_clock")


def next_event(request: OperatorRequest) -> NextEvent | None:
    vendor = request.vendor
    at = next_moment(vendor, request.now) if vendor.is_test and not vendor.clock_is_advancing else None
    if at is None:
        return None
    asked = Asked(kinds=BY_THE_CLOCK, until=at + TICK, position=(request.now, len(KIND_PLACES), 0))
    found = planned(vendor, Clock(request.now, request.real_now), asked, NAMED + 1)
    return NextEvent(at, found[:NAMED], len(found) > NAMED)


def progress_of(vendor: Vendor) -> Progress | None:
    if vendor.clock_target is None or vendor.clock_frozen_at is None:
        return None
    moves = Event.objects.of(vendor).filter(kind=EventKind.CLOCK_MOVED).order_by("-pk")
    begun = parse_datetime((moves.values_list("details", flat=True).first() or {}).get("from", ""))
    begun = begun or vendor.clock_frozen_at
    whole = (vendor.clock_target - begun) or timedelta(1)
    percent = round(100 * ((vendor.clock_frozen_at - begun) / whole))
    return Progress(vendor.clock_frozen_at, vendor.clock_target, max(0, min(percent, 100)))


def _tomorrow(now: datetime) -> datetime:
    return timezone.localtime(now + timedelta(days=1)).replace(second=0, microsecond=0)


def _move(request: OperatorRequest, form: ClockForm) -> bool:
    target = form.cleaned_data["target"]
    try:
        move_forward(request.vendor, target, actor=request.actor, real_now=request.real_now)
    except Invalid as refusal:
        for problem in refusal.errors.get("now", [refusal.message]):
            form.add_error("target", problem)
        return False
    messages.success(request, f"The clock is on its way to {words.moment(target)}. What falls due happens in order.")
    return True
