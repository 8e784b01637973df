"""API keys: who may call the API for this vendor. A key is shown once, when it is made."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect

from billing_portal.accounts.models import ApiKey
from billing_portal.accounts.roles import Permission
from billing_portal.portal.access import OperatorRequest, form_screen, may, verb
from billing_portal.portal.forms import TEXT
from billing_portal.portal.keyset import newest_first
from billing_portal.portal.navigation import show


class KeyForm(forms.Form):
    name = forms.CharField(
        max_length=64,
        widget=forms.TextInput(TEXT | {"placeholder": "Production backend"}),
        help_text="Where it is used. What is done with it appears under this name.",
    )


@form_screen(Permission.MANAGE_API_KEYS)
def key_list(request: OperatorRequest) -> HttpResponse:
    """The answer to a POST shows the new key; it is not kept anywhere, so there is nothing to redirect to."""
    form, key = KeyForm(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        _, key = ApiKey.issue(request.vendor, form.cleaned_data["name"], now=request.real_now)
        form = KeyForm()
    rows = ApiKey.objects.of(request.vendor)
    page = newest_first(rows, "created_at", before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    context = {"page": page, "form": form, "key": key, "editable": may(request, Permission.MANAGE_API_KEYS)}
    return show(request, "portal/system/api_keys.html", context, title="API keys", area="api_keys")


@verb(Permission.MANAGE_API_KEYS)
def revoke(request: OperatorRequest, uuid: str) -> HttpResponse:
    key = get_object_or_404(ApiKey.objects.of(request.vendor).select_related("vendor"), uuid=uuid)
    key.revoke(real_now=request.real_now)
    messages.success(request, f"The key {key} is revoked. Requests with it are refused from now on.")
    return redirect("portal:api_keys")
