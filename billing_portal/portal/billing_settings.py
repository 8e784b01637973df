"""Settings -> Invoicing & Payments."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render

from billing_portal.accounts.roles import Permission
from billing_portal.portal.access import OperatorRequest, form_screen, may, open_verb, verb
from billing_portal.portal.example_cycle import example_steps
from billing_portal.portal.navigation import show
from billing_portal.portal.settings_form import SettingsForm, sections_of
from billing_portal.portal.settings_outcome import tell_saved
from customers.customer import Customer
from customers.errors import Conflict, Invalid
from customers.settings import verbs
from customers.settings.policy import resolve, vendor_policy
from invoicing.gateways import GatewayError
from payments.stripe.connect import connection_of, describe_account, required_connection

OVERRIDING_SHOWN = 12


@form_screen(Permission.CHANGE_SETTINGS)
def billing_settings(request: OperatorRequest) -> HttpResponse:
    policy = vendor_policy(request.vendor)
    form = SettingsForm(policy, request.POST or None)
    if request.method == "POST" and form.is_valid() and _save(request, form):
        return redirect("portal:billing_settings")
    overriding = Customer.objects.of(request.vendor).filter(billing_override__isnull=False)
    context = {
        "form": form,
        "sections": sections_of(form),
        "steps": example_steps(policy, request.vendor.zone, request.now),
        "connection": connection_of(request.vendor),
        "overriding": list(overriding.order_by("display_name", "pk")[:OVERRIDING_SHOWN]),
        "overriding_count": overriding.count(),
        "customer_count": Customer.objects.of(request.vendor).count(),
        "editable": may(request, Permission.CHANGE_SETTINGS),
    }
    return show(request, "portal/settings/page.html", context, title="Invoicing & Payments", area="billing_settings")


def _save(request: OperatorRequest, form: SettingsForm) -> bool:
    """False when the verb refused; the form then says why."""
    try:
        saved = verbs.save_vendor_settings(
            request.vendor, form.chosen(), actor=request.actor, now=request.now, real_now=request.real_now
        )
    except Invalid as refusal:
        form.refuse(refusal)
        return False
    tell_saved(request, "The settings are saved.", saved)
    return True


@verb(Permission.CHANGE_SETTINGS)
def test_connection(request: OperatorRequest) -> HttpResponse:
    """Ask Stripe for the connected account, and say what came of it."""
    try:
        messages.success(request, describe_account(required_connection(request.vendor)))
    except Conflict as refusal:
        messages.error(request, refusal.message)
    except GatewayError as error:
        messages.error(request, f"The connection does not work. {error.message}")
    return redirect("portal:billing_settings")


@open_verb
def preview_settings(request: OperatorRequest) -> HttpResponse:
    form = SettingsForm(vendor_policy(request.vendor), request.POST)
    steps = example_steps(resolve(form.resulting(), {}), request.vendor.zone, request.now) if form.is_valid() else []
    return render(request, "portal/settings/_meaning.html", {"form": form, "steps": steps})
