"""API keys: who may call the API for this vendor. A key is shown once, when it is made."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect

from billing_portal.accounts.keys import make_key, roll_key
from billing_portal.accounts.models import ApiKey, Scope
from billing_portal.accounts.roles import Permission
from billing_portal.portal.access import OperatorRequest, form_screen, may, verb
from billing_portal.portal.forms import TEXT, refuse
from billing_portal.portal.keyset import newest_first
from billing_portal.portal.navigation import show
from customers.errors import Conflict, Invalid

# For how long a rolled key goes on to work.
OVERLAPS = {
    "0": "ends at once",
    "1": "works for another day",
    "7": "works for another 7 days",
    "30": "works for another 30 days",
}


class KeyForm(forms.Form):
    name = forms.CharField(
        max_length=64,
        widget=forms.TextInput(TEXT | {"placeholder": "Production backend"}),
        help_text="Where it is used. What is done with it appears under this name.",
    )
    scope = forms.ChoiceField(choices=Scope.choices, initial=Scope.WRITE, required=False, label="It may")
    expires_at = forms.DateTimeField(
        required=False,
        label="Expires",
        widget=forms.DateTimeInput({"type": "datetime-local"}),
        help_text="Empty: it does not expire.",
    )


class RollForm(forms.Form):
    overlap = forms.ChoiceField(choices=list(OVERLAPS.items()))


@form_screen(Permission.MANAGE_API_KEYS)
def key_list(request: OperatorRequest) -> HttpResponse:
    form, key = KeyForm(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        try:
            _, key = make_key(request.vendor, **_wanted(form), real_now=request.real_now)
            form = KeyForm()
        except Invalid as refusal:
            refuse(form, refusal)
    return _page(request, form, key)


def _wanted(form: KeyForm) -> dict[str, Any]:
    return {**form.cleaned_data, "scope": form.cleaned_data["scope"] or Scope.WRITE}


def _page(request: OperatorRequest, form: KeyForm, key: str) -> HttpResponse:
    """The answer to a POST shows the new key; it is not kept anywhere, so there is nothing to redirect to."""
    rows = ApiKey.objects.of(request.vendor)
    page = newest_first(rows, "created_at", before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    editable = may(request, Permission.MANAGE_API_KEYS)
    context = {"page": page, "form": form, "key": key, "editable": editable, "overlaps": OVERLAPS}
    return show(request, "portal/system/api_keys.html", context, title="API keys", area="api_keys")


@verb(Permission.MANAGE_API_KEYS)
def roll(request: OperatorRequest, uuid: str) -> HttpResponse:
    """A successor is made and shown; the old key goes on to work for as long as was chosen."""
    old = get_object_or_404(ApiKey.objects.of(request.vendor).select_related("vendor"), uuid=uuid)
    chosen = RollForm(request.POST)
    if not chosen.is_valid():
        messages.error(request, "Nothing was changed. Say how long the old key goes on to work.")
        return redirect("portal:api_keys")
    until = request.real_now + timedelta(days=int(chosen.cleaned_data["overlap"]))
    try:
        _, key = roll_key(old, expires_at=until, real_now=request.real_now)
    except Conflict as refusal:
        messages.error(request, refusal.message)
        return redirect("portal:api_keys")
    return _page(request, KeyForm(), key)


@verb(Permission.MANAGE_API_KEYS)
def revoke(request: OperatorRequest, uuid: str) -> HttpResponse:
    key = get_object_or_404(ApiKey.objects.of(request.vendor).select_related("vendor"), uuid=uuid)
    key.revoke(real_now=request.real_now)
    messages.success(request, f"The key {key} is revoked. Requests with it are refused from now on.")
    return redirect("portal:api_keys")
