"""The billing run: how far it is, and its brake. On Scheduled work, with a banner everywhere while it is paused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from billing_portal.accounts.roles import Permission
from billing_portal.portal import words
from billing_portal.portal.access import OperatorRequest, screen, verb
from customers.billing_pause import pause_billing, resume_billing
from customers.errors import Refused
from invoicing.invoices.billing_run import COLLECT, GENERATE, ISSUE, Stage, as_last_counted, is_moving

_FAILING = {GENERATE: "?kind=cycle&late=failing", ISSUE: "?status=failed", COLLECT: "?status=failed"}


@dataclass(frozen=True)
class Row:
    """``pace`` says how fast it goes and when it will be done; empty where nothing is left."""

    stage: Stage
    pace: str
    failing_link: str


@screen
def progress(request: OperatorRequest) -> HttpResponse:
    """Asked for every other second while something is left."""
    return render(request, "portal/desk/_billing_run.html", {"vendor": request.vendor, **run_of(request)})


@verb(Permission.PAUSE_BILLING)
def pause(request: OperatorRequest) -> HttpResponse:
    try:
        pause_billing(
            request.vendor, actor=request.actor, reason=request.POST.get("reason", "")[:500], real_now=request.real_now
        )
    except Refused as refusal:
        messages.error(request, refusal.message)
    else:
        done = "What workers have in hand is ended; nothing new is generated, issued, charged or sent."
        messages.success(request, f"Billing is paused. {done}")
    return redirect("portal:scheduled")


@verb(Permission.PAUSE_BILLING)
def resume(request: OperatorRequest) -> HttpResponse:
    try:
        resume_billing(request.vendor, actor=request.actor, real_now=request.real_now)
    except Refused as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, "Billing goes on. What fell due meanwhile is done now.")
    return redirect("portal:scheduled")


def run_of(request: OperatorRequest) -> dict[str, Any]:
    stages = as_last_counted(request.vendor, real_now=request.real_now)
    rows = [Row(stage, _pace(request, stage), _failing_link(stage)) for stage in stages]
    is_due = is_moving(stages)
    return {"stages": rows, "is_due": is_due, "is_moving": is_due and not request.vendor.billing_paused_at}


def _failing_link(stage: Stage) -> str:
    place = "portal:scheduled" if stage.name == GENERATE else "portal:invoices"
    return reverse(place) + _FAILING[stage.name]


def _pace(request: OperatorRequest, stage: Stage) -> str:
    if not stage.left or request.vendor.billing_paused_at:
        return ""
    if stage.per_minute is None or stage.minutes_left is None:
        return "Nothing has moved for five minutes."
    done_at = request.real_now + timedelta(minutes=stage.minutes_left)
    return f"{stage.per_minute:,.0f} a minute; done {words.relative(done_at, request.real_now)}"
