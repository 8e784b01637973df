"""Keys of one's own in place of Connect. They are taken in here and never shown again."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_post_parameters

from billing_portal.accounts.roles import Permission
from billing_portal.portal.access import OperatorRequest, form_screen, may
from billing_portal.portal.forms import CODE, refuse
from billing_portal.portal.navigation import show
from customers.errors import Refused
from payments.stripe import connect, endpoints
from payments.stripe.own_keys import Entered, connect_with

# What is typed is not sent back when something else has to be mended.
SECRET = CODE | {"autocomplete": "new-password"}


class KeysForm(forms.Form):
    secret_key = forms.CharField(
        max_length=255,
        widget=forms.PasswordInput(SECRET),
        help_text="From Stripe's dashboard, under Developers -> API keys. A restricted key will do.",
    )
    publishable_key = forms.CharField(max_length=255, widget=forms.TextInput(CODE))
    webhook_secret = forms.CharField(
        max_length=255,
        required=False,
        widget=forms.PasswordInput(SECRET),
        help_text="Of an endpoint that you made in Stripe's dashboard. Leave it empty to register one from here.",
    )


@sensitive_post_parameters("secret_key", "webhook_secret")
@form_screen(Permission.CONNECT_STRIPE)
def own_keys(request: OperatorRequest, mode: str) -> HttpResponse:
    form = KeysForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _save(request, form, mode):
        return redirect("portal:billing_settings")
    context = {
        "form": form,
        "mode": mode,
        "connection": connect.connections(request.vendor).filter(livemode=mode == "live").first(),
        "webhook_url": endpoints.our_url(),
        "editable": may(request, Permission.CONNECT_STRIPE),
    }
    template = "portal/settings/stripe_keys.html"
    return show(request, template, context, title="Keys of your own", area="billing_settings")


def _save(request: OperatorRequest, form: KeysForm, mode: str) -> bool:
    """False when the verb refused; the form then says why."""
    try:
        connection = connect_with(
            request.vendor,
            Entered(**form.cleaned_data),
            livemode=mode == "live",
            actor=request.actor,
            real_now=request.real_now,
        )
    except Refused as refusal:
        refuse(form, refusal)
        return False
    messages.success(request, f"The keys are saved. They belong to {connection.account_id}.")
    return True
