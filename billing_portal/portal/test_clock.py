"""Moving a test vendor's clock forward: what happens on the 3rd of next month?"""

from __future__ import annotations

from datetime import datetime, timedelta

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from billing_portal.accounts.roles import Permission
from billing_portal.portal import words
from billing_portal.portal.access import OperatorRequest, form_screen, may
from billing_portal.portal.navigation import show
from customers.clock import move_forward
from customers.errors import Invalid


class ClockForm(forms.Form):
    """The moment is typed on the vendor's wall clock."""

    target = forms.DateTimeField(
        label="Move forward to",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
    )


@form_screen(Permission.MOVE_CLOCK)
def test_clock(request: OperatorRequest) -> HttpResponse:
    form = ClockForm(request.POST or None, initial={"target": _tomorrow(request.now)})
    if request.method == "POST" and form.is_valid() and _move(request, form):
        return redirect("portal:test_clock")
    context = {"form": form, "editable": may(request, Permission.MOVE_CLOCK)}
    return show(request, "portal/settings/test_clock.html", context, title="Test clock", area="test_clock")


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
